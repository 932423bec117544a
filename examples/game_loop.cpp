// SPDX-License-Identifier: MIT
// A game on SDL 2. A level is loaded on another thread, tasks move the figures, and the light is computed bit by bit in
// the time that the frames have left. Space pauses, Escape ends. With the arguments `--frames N` it presses Space by
// itself, and ends in frame N.
#include <SDL.h>

#include <array>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <errand/errand.hpp>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

using namespace std::chrono_literals;
using errand::Coro;

namespace {

// The level, in tiles

constexpr int columns = 32, rows = 18, tile = 24;  // pixels
constexpr int door_column = 22, door_row = 9;

using Row = std::array<bool, columns>;  // true for a wall

/// Reads a row of the level. Called on another thread, because it takes a while.
Row read_row(int row) {
  std::this_thread::sleep_for(40ms);  // the disk
  Row is_wall{};
  for (int column = 0; column < columns; ++column) {
    const bool is_border = row == 0 || row == rows - 1 || column == 0 || column == columns - 1;
    const bool is_pillar = row % 5 == 3 && column % 6 == 4;
    const bool is_door = column == door_column && row == door_row;
    is_wall[column] = !is_door && (is_border || is_pillar || column == door_column);
  }
  return is_wall;
}

// [frames]
/// The time of the game. It goes on with each frame that is played, and stands still in a pause.
class Frames {
 public:
  /// Called by the main loop. The tasks that wait run in the next poll.
  void begin() {
    ++number_;
    began_.notify_all();
  }
  int number() const { return number_; }

  Coro<> wait(int count = 1) {
    while (count-- > 0) co_await began_.wait();
  }

 private:
  int number_ = 0;
  errand::Condition began_;
};
// [frames]

struct Figure {
  float x, y;
  SDL_Color color;
};

class Game {
 public:
  explicit Game(errand::App& app) : tasks_(app) { tasks_.add(play(), "play"); }

  void begin_frame() {
    if (is_loaded_ && !is_paused_) frames_.begin();
  }
  void handle(const SDL_Event& event);
  void draw(SDL_Renderer* renderer) const;
  /// Plays a user, who ends the game in this frame.
  void press_keys(int last_frame) { tasks_.add(press(last_frame), "keys"); }

 private:
  Coro<> play();
  Coro<> story();
  Coro<> patrol(Figure& guard, float y);
  Coro<> walk(Figure& figure, float x, float y);
  Coro<> open_door();
  Coro<> compute_light();
  Coro<> press(int last_frame);

  bool is_open(int column, int row) const {
    return !is_wall_[row][column] && (column != door_column || row != door_row || door_ < 0.5F);
  }
  float light_at(int column, int row) const;
  static void say(const std::string& text) { std::cout << text << std::endl; }

  Frames frames_;
  bool is_loaded_ = false, is_paused_ = false;
  int rows_read_ = 0;
  std::array<Row, rows> is_wall_{};
  float door_ = 1;  // the part of it that is closed
  Figure ada_{3.5F, 9.5F, {255, 210, 60, 255}};
  Figure guards_[2] = {{9.5F, 2.5F, {225, 70, 80, 255}}, {14.5F, 15.5F, {225, 70, 80, 255}}};
  std::array<std::array<float, columns>, rows> light_{};
  errand::TaskScope tasks_;  // the last member: the tasks end before what they use
};

// [play]
Coro<> Game::play() {
  for (int row = 0; row < rows; ++row) {
    is_wall_[row] = co_await errand::to_thread(read_row, row);
    rows_read_ = row + 1;  // draw() shows a progress bar
  }
  is_loaded_ = true;
  say("The level is loaded.");
  tasks_.add(compute_light(), "light");

  const auto live = [this] { return errand::gather(story(), patrol(guards_[0], 15.5F), patrol(guards_[1], 2.5F)); };
  const auto save = []() -> Coro<> {
    co_await errand::to_thread([] { std::this_thread::sleep_for(50ms); });  // the disk
    say("The game is saved.");
  };
  co_await errand::finally(live, save);
}
// [play]

// [scripts]
Coro<> Game::story() {
  say("Ada comes in.");
  co_await walk(ada_, 20.5F, 9.5F);
  co_await open_door();
  say("The door is open.");
  co_await walk(ada_, 28.5F, 9.5F);
  say("Ada is out.");
}

Coro<> Game::patrol(Figure& guard, float y) {
  for (const float home = guard.y;;) {
    co_await walk(guard, guard.x, y);
    co_await frames_.wait(10);
    co_await walk(guard, guard.x, home);
  }
}

Coro<> Game::walk(Figure& figure, float x, float y) {
  constexpr float tiles_a_frame = 0.25F;
  const float distance = std::hypot(x - figure.x, y - figure.y);
  for (int left = static_cast<int>(std::ceil(distance / tiles_a_frame)); left > 0; --left) {
    co_await frames_.wait();
    figure.x += (x - figure.x) / static_cast<float>(left);
    figure.y += (y - figure.y) / static_cast<float>(left);
  }
}
// [scripts]

Coro<> Game::open_door() {
  for (int left = 9; left >= 0; --left) {
    co_await frames_.wait();
    door_ = static_cast<float>(left) / 10;
  }
}

// [light]
Coro<> Game::compute_light() {
  while (true) {
    for (int row = 0; row < rows; ++row) {
      for (int column = 0; column < columns; ++column) light_[row][column] = light_at(column, row);
      co_await errand::yield();  // here the budget of the frame may be spent
    }
    co_await frames_.wait();  // Ada, who carries the lamp, may have moved
  }
}
// [light]

/// Returns how much light of the lamp comes to a tile: looks along many rays.
float Game::light_at(int column, int row) const {
  constexpr int rays = 64, steps = 64;
  float sum = 0;
  for (int ray = 0; ray < rays; ++ray) {
    const float x = static_cast<float>(column) + (static_cast<float>(ray % 8) + 0.5F) / 8 - ada_.x;
    const float y = static_cast<float>(row) + (static_cast<float>(ray / 8) + 0.5F) / 8 - ada_.y;
    bool is_free = true;
    for (int step = 0; step < steps && is_free; ++step) {
      const float part = static_cast<float>(step) / steps;
      const int at_column = static_cast<int>(ada_.x + x * part), at_row = static_cast<int>(ada_.y + y * part);
      is_free = is_open(at_column, at_row) || (at_column == column && at_row == row);
    }
    if (is_free) sum += 1 / (1 + (x * x + y * y) / 40);
  }
  return sum / rays;
}

// [keys]
Coro<> Game::press(int last_frame) {
  const auto press_space = [] {
    SDL_Event event{};
    event.type = SDL_KEYDOWN;
    event.key.keysym.sym = SDLK_SPACE;
    SDL_PushEvent(&event);
  };
  co_await frames_.wait(40);
  press_space();
  co_await errand::sleep(200ms);  // the time of the clock goes on in a pause
  press_space();
  co_await frames_.wait(last_frame - 40);
  SDL_Event quit{};
  quit.type = SDL_QUIT;
  SDL_PushEvent(&quit);
}
// [keys]

void Game::handle(const SDL_Event& event) {
  if (event.type != SDL_KEYDOWN) return;
  if (event.key.keysym.sym == SDLK_SPACE) {
    is_paused_ = !is_paused_;
    say((is_paused_ ? "Paused in frame " : "Goes on in frame ") + std::to_string(frames_.number()) + ".");
  } else if (event.key.keysym.sym == SDLK_ESCAPE) {
    SDL_Event quit{};
    quit.type = SDL_QUIT;
    SDL_PushEvent(&quit);
  }
}

void fill(SDL_Renderer* renderer, SDL_Color color, float light, float x, float y, float width, float height) {
  const auto lit = [light](Uint8 part) { return static_cast<Uint8>(static_cast<float>(part) * light); };
  SDL_SetRenderDrawColor(renderer, lit(color.r), lit(color.g), lit(color.b), 255);
  const SDL_FRect place{x * tile, y * tile, width * tile, height * tile};
  SDL_RenderFillRectF(renderer, &place);
}

void Game::draw(SDL_Renderer* renderer) const {
  SDL_SetRenderDrawColor(renderer, 12, 12, 18, 255);
  SDL_RenderClear(renderer);
  constexpr SDL_Color floor{150, 140, 120, 255}, wall{110, 130, 190, 255}, wood{190, 120, 60, 255},
      white{255, 255, 255, 255};
  if (!is_loaded_) {
    constexpr float width = 16, x = (columns - width) / 2, y = rows / 2.0F;
    fill(renderer, white, 0.25F, x, y, width, 0.5F);
    fill(renderer, wood, 1, x, y, width * static_cast<float>(rows_read_) / rows, 0.5F);
  } else {
    for (int row = 0; row < rows; ++row) {
      for (int column = 0; column < columns; ++column) {
        const float light = 0.2F + 0.8F * light_[row][column];
        fill(renderer, is_wall_[row][column] ? wall : floor, light, static_cast<float>(column), static_cast<float>(row),
             1, 1);
      }
    }
    if (door_ > 0) fill(renderer, wood, 1, door_column + 0.3F, door_row, 0.4F, door_);
    for (const Figure& figure : {ada_, guards_[0], guards_[1]}) {
      fill(renderer, figure.color, 1, figure.x - 0.35F, figure.y - 0.35F, 0.7F, 0.7F);
    }
  }
  if (is_paused_) {
    for (const float x : {columns / 2.0F - 1, columns / 2.0F + 0.4F})
      fill(renderer, white, 1, x, rows / 2.0F - 1, 0.6F, 2);
  }
  SDL_RenderPresent(renderer);
}

template <class T, void (*destroy)(T*)>
struct Destroy {
  void operator()(T* object) const { destroy(object); }
};

struct Sdl {
  Sdl() {
    if (SDL_Init(SDL_INIT_VIDEO) != 0) throw std::runtime_error(SDL_GetError());
  }
  Sdl(const Sdl&) = delete;
  ~Sdl() { SDL_Quit(); }
};

void run(int last_frame) {
  const Sdl sdl;
  const std::unique_ptr<SDL_Window, Destroy<SDL_Window, SDL_DestroyWindow>> window(
      SDL_CreateWindow("Ada", SDL_WINDOWPOS_CENTERED, SDL_WINDOWPOS_CENTERED, columns * tile, rows * tile, 0));
  if (!window) throw std::runtime_error(SDL_GetError());
  const std::unique_ptr<SDL_Renderer, Destroy<SDL_Renderer, SDL_DestroyRenderer>> renderer(
      SDL_CreateRenderer(window.get(), -1, 0));
  if (!renderer) throw std::runtime_error(SDL_GetError());

  // [loop]
  errand::App app("game");
  const errand::KeepAlive keep = app.keep_alive();  // until stop(), not only while there are tasks
  Game game(app);
  // [loop]
  if (last_frame > 0) game.press_keys(last_frame);
  // [loop]
  for (bool is_running = true; is_running;) {
    const auto next_frame = app.now() + 16ms;
    for (SDL_Event event; SDL_PollEvent(&event);) {
      if (event.type == SDL_QUIT) app.stop();  // asks the tasks to end; the frames go on until they have
      game.handle(event);
    }
    game.begin_frame();
    is_running = app.poll(app.now() + 4ms);  // the tasks have 4 ms of each frame
    game.draw(renderer.get());
    std::this_thread::sleep_until(next_frame);
  }
  // [loop]
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(argc > 2 && std::string(argv[1]) == "--frames" ? std::stoi(argv[2]) : 0);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
