// SPDX-License-Identifier: MIT

//! The workloads on tokio's single-threaded runtime. A cancelled task is dropped and not unwound, so
//! there is W6a, and no W6. Errors are values, which no runtime has to carry, so there is no W11. W9n finds its tasks in
//! a map.

use std::collections::HashMap;
use std::future::{poll_fn, Future};
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{spawn, yield_now, JoinHandle};
use tokio::time::sleep;

const HOUR: Duration = Duration::from_secs(3600);

/// The account that glibc keeps of the heap.
#[repr(C)]
struct Mallinfo2 {
    arena: usize,
    ordblks: usize,
    smblks: usize,
    hblks: usize,
    hblkhd: usize,
    usmblks: usize,
    fsmblks: usize,
    uordblks: usize,
    fordblks: usize,
    keepcost: usize,
}

extern "C" {
    fn mallinfo2() -> Mallinfo2;
}

/// Measures how many bytes the heap grows between `begin` and `end`.
#[derive(Default)]
struct Memory {
    at_begin: usize,
    grown: usize,
}

impl Memory {
    fn begin(&mut self) {
        self.at_begin = Self::used();
    }
    fn end(&mut self) {
        self.grown = Self::used() - self.at_begin;
    }
    fn used() -> usize {
        // SAFETY: the function takes nothing and returns a plain structure.
        let heap = unsafe { mallinfo2() };
        heap.uordblks + heap.hblkhd
    }
}

/// Gives the numbers of bench.hpp's Random.
struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % below
    }
}

type Coro = Pin<Box<dyn Future<Output = i64> + Send>>;

async fn give(i: i64) -> i64 {
    i
}

async fn sum_of(tasks: Vec<JoinHandle<i64>>) -> i64 {
    let mut sum = 0;
    for task in tasks {
        sum += task.await.unwrap();
    }
    sum
}

async fn spawn_await(n: i64) -> i64 {
    let mut sum = 0;
    for i in 0..n {
        sum += spawn(give(i)).await.unwrap();
    }
    sum
}

async fn spawn_many(n: i64, memory: &mut Memory) -> i64 {
    let mut tasks = Vec::with_capacity(n as usize);
    memory.begin();
    for i in 0..n {
        tasks.push(spawn(give(i)));
    }
    memory.end();
    sum_of(tasks).await
}

async fn yielding(n: i64) -> i64 {
    for _ in 0..n {
        yield_now().await;
    }
    n
}

async fn yields(n: i64) -> i64 {
    sum_of((0..1000).map(|_| spawn(yielding(n / 1000))).collect()).await
}

/// The coroutine is in a box, so that it can be stored and handed on, as those of the other contestants. Otherwise the
/// await would be a function call.
async fn await_coro(n: i64) -> i64 {
    let mut sum = 0;
    for i in 0..n {
        let coro: Coro = std::hint::black_box(Box::pin(give(i)));
        sum += coro.await;
    }
    sum
}

fn chain(n: i64) -> Coro {
    Box::pin(async move {
        if n == 0 {
            return 0;
        }
        1 + chain(n - 1).await
    })
}

async fn sleepers(n: i64) -> i64 {
    let mut random = Random(1);
    let mut tasks = Vec::with_capacity(n as usize);
    for _ in 0..n {
        let delay = Duration::from_nanos(random.next(100_000_000));
        tasks.push(spawn(async move {
            sleep(delay).await;
            1
        }));
    }
    sum_of(tasks).await
}

async fn timers(n: i64) -> i64 {
    let mut sum = 0;
    for _ in 0..n {
        let mut timer = Box::pin(sleep(HOUR));
        // A timer is armed when it is polled, and disarmed when it is dropped.
        sum += poll_fn(|context| Poll::Ready(timer.as_mut().poll(context).is_pending() as i64)).await;
    }
    sum
}

type Timer = Pin<Box<tokio::time::Sleep>>;

/// Returns the timers, armed: a timer is armed when it is polled, and disarmed when it is dropped.
async fn arm(mut timers: Vec<Timer>, sum: &mut i64) -> Vec<Timer> {
    *sum += poll_fn(|context| {
        Poll::Ready(timers.iter_mut().map(|timer| timer.as_mut().poll(context).is_pending() as i64).sum::<i64>())
    })
    .await;
    timers
}

async fn random_timers(n: i64) -> i64 {
    let mut random = Random(1);
    let delays = (0..n).map(|_| HOUR + Duration::from_nanos(random.next(100_000_000)));
    let mut sum = 0;
    drop(arm(delays.map(|delay| Box::pin(sleep(delay))).collect(), &mut sum).await);
    sum
}

async fn constant_timers(n: i64) -> i64 {
    let mut sum = 0;
    drop(arm((0..n).map(|_| Box::pin(sleep(HOUR))).collect(), &mut sum).await);
    sum
}

async fn timer_window(n: i64) -> i64 {
    let mut window: Vec<Option<Timer>> = (0..1000).map(|_| None).collect();
    let mut sum = 0;
    for i in 0..n as usize {
        let oldest = &mut window[i % 1000];
        drop(oldest.take());
        let timer = oldest.insert(Box::pin(sleep(Duration::from_secs(30))));
        sum += poll_fn(|context| Poll::Ready(timer.as_mut().poll(context).is_pending() as i64)).await;
    }
    sum
}

async fn abort_sleepers(n: i64, with_random_delays: bool) -> i64 {
    let mut random = Random(1);
    let mut tasks = Vec::with_capacity(n as usize);
    for _ in 0..n {
        let more = if with_random_delays { random.next(100_000_000) } else { 0 };
        tasks.push(spawn(sleep(HOUR + Duration::from_nanos(more))));
    }
    yield_now().await;
    let mut sum = 0;
    for task in &tasks {
        task.abort();
    }
    for task in tasks {
        sum += task.await.unwrap_err().is_cancelled() as i64;
    }
    sum
}

async fn abort_sleeper(n: i64) -> i64 {
    let mut sum = 0;
    for _ in 0..n {
        let task = spawn(sleep(HOUR));
        yield_now().await;
        task.abort();
        sum += task.await.unwrap_err().is_cancelled() as i64;
    }
    sum
}

async fn round_trips(n: i64, there: mpsc::Sender<i64>, mut back: mpsc::Receiver<i64>) -> i64 {
    let mut sum = 0;
    for i in 0..n {
        there.send(i).await.unwrap();
        sum += back.recv().await.unwrap();
    }
    sum
}

async fn ping(n: i64) -> i64 {
    let (to_there, mut there) = mpsc::channel(1);
    let (to_back, back) = mpsc::channel(1);
    let echoing = spawn(async move {
        for _ in 0..n {
            let item: i64 = there.recv().await.unwrap();
            to_back.send(item).await.unwrap();
        }
    });
    let sum = round_trips(n, to_there, back).await;
    echoing.await.unwrap();
    sum
}

fn get<'a>(queue: &'a mut mpsc::Receiver<i64>, levels: i32) -> Pin<Box<dyn Future<Output = i64> + Send + 'a>> {
    Box::pin(async move {
        if levels == 1 {
            return queue.recv().await.unwrap();
        }
        get(queue, levels - 1).await
    })
}

async fn ping_under_levels(n: i64) -> i64 {
    let (to_there, mut there) = mpsc::channel(1);
    let (to_back, back) = mpsc::channel(1);
    let echoing = spawn(async move {
        for _ in 0..n {
            let item = get(&mut there, 20).await;
            to_back.send(item).await.unwrap();
        }
    });
    let sum = round_trips(n, to_there, back).await;
    echoing.await.unwrap();
    sum
}

async fn stream(n: i64) -> i64 {
    let (sender, mut receiver) = mpsc::channel(64);
    let producing = spawn(async move {
        for i in 0..n {
            sender.send(i).await.unwrap();
        }
    });
    let mut sum = 0;
    while let Some(item) = receiver.recv().await {
        sum += item;
    }
    producing.await.unwrap();
    sum
}

async fn posts(n: i64) -> i64 {
    let sum = Arc::new(AtomicI64::new(0));
    let (ended, end) = oneshot::channel();
    let (loop_, total) = (Handle::current(), sum.clone());
    let other = std::thread::spawn(move || {
        for i in 0..n {
            let total = total.clone();
            loop_.spawn(async move { total.fetch_add(i, Ordering::Relaxed) });
        }
        loop_.spawn(async move { ended.send(()) });
    });
    end.await.unwrap();
    other.join().unwrap();
    sum.load(Ordering::Relaxed)
}

async fn memory_of_sleepers(n: i64, memory: &mut Memory) -> i64 {
    let mut tasks = Vec::with_capacity(n as usize);
    memory.begin();
    for _ in 0..n {
        tasks.push(spawn(sleep(HOUR)));
    }
    yield_now().await;
    memory.end();
    for task in &tasks {
        task.abort();
    }
    n
}

async fn memory_of_named_sleepers(n: i64, memory: &mut Memory) -> i64 {
    let mut tasks = HashMap::new();
    memory.begin();
    for i in 0..n {
        tasks.insert(format!("sleeper {i}"), spawn(sleep(HOUR)));
    }
    yield_now().await;
    memory.end();
    for task in tasks.values() {
        task.abort();
    }
    n
}

/// The workload while one timer is pending.
async fn with_timer(work: impl Future<Output = i64>) -> i64 {
    let mut sum = 0;
    let timer = arm(vec![Box::pin(sleep(HOUR))], &mut sum).await;
    let result = work.await;
    drop(timer);
    result
}

async fn run(workload: &str, n: i64, memory: &mut Memory) -> Option<i64> {
    Some(match workload {
        "W1" => spawn_await(n).await,
        "W2" => spawn_many(n, memory).await,
        "W3" => yields(n).await,
        "W4" => await_coro(n).await,
        "W4d" => chain(n).await,
        "W5" => sleepers(n).await,
        "W5b" => random_timers(n).await,
        "W5bf" => constant_timers(n).await,
        "W5bw" => timer_window(n).await,
        "W5b1" => timers(n).await,
        "W6a" => abort_sleepers(n, false).await,
        "W6ar" => abort_sleepers(n, true).await,
        "W6a1" => abort_sleeper(n).await,
        "W7" => ping(n).await,
        "W7b" => stream(n).await,
        "W8" => posts(n).await,
        "W9" => memory_of_sleepers(n, memory).await,
        "W9n" => memory_of_named_sleepers(n, memory).await,
        "W1t" => with_timer(spawn_await(n)).await,
        "W3t" => with_timer(yields(n)).await,
        "W7t" => with_timer(ping(n)).await,
        "levels" => ping_under_levels(n).await,
        _ => return None,
    })
}

/// Does the workload, and returns the time that it took and a checksum.
fn timed(workload: &str, n: i64, memory: &mut Memory) -> (f64, Option<i64>) {
    let begin = Instant::now();
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let checksum = runtime.block_on(run(workload, n, memory));
    drop(runtime);
    (begin.elapsed().as_nanos() as f64, checksum)
}

fn bench(workload: &str, n: i64, times: u32) -> i32 {
    let mut memory = Memory::default();
    let (mut took, mut checksum) = timed(workload, n, &mut memory);
    for _ in 1..times {
        (took, checksum) = timed(workload, n, &mut Memory::default());
    }
    let Some(checksum) = checksum else {
        eprintln!("bench: no workload {workload} here");
        return 3;
    };
    let bytes = memory.grown as f64 / n as f64;
    println!("{workload} {:.1} ns {bytes:.1} bytes {checksum}", took / n as f64);
    0
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.len() != 3 && arguments.len() != 4 {
        eprintln!("bench WORKLOAD N [TIMES]");
        std::process::exit(2);
    }
    let (workload, n) = (arguments[1].clone(), arguments[2].parse().unwrap());
    let times = arguments.get(3).map_or(1, |times| times.parse().unwrap());
    // Each level of W4d's chain is polled by the level above it, so the stack must grow with the depth of the chain.
    let stack = if workload == "W4d" { 512 * n as usize + (8 << 20) } else { 8 << 20 };
    let thread = std::thread::Builder::new().stack_size(stack).spawn(move || bench(&workload, n, times));
    std::process::exit(thread.unwrap().join().unwrap());
}
