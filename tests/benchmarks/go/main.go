// SPDX-License-Identifier: MIT

// The workloads on Go's goroutines, all on one processor. Functions are called, not awaited, and a goroutine can't be
// destroyed from outside, so there is no W4, W4d and W6a. There is no loop to post to, so there is no W8. Errors
// are values, which no runtime has to carry, so there is no W11. W9n finds its goroutines in a map.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"
)

// Measures how many bytes the heap and the stacks grow between begin and end.
type memory struct{ grown int64 }

func used() int64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc + stats.StackInuse)
}

func (m *memory) begin() {
	runtime.GC()
	m.grown = -used()
}

func (m *memory) end() { m.grown += used() }

// Gives the numbers of bench.hpp's Random.
type random struct{ state uint64 }

func (r *random) next(below int64) int64 {
	r.state = r.state*6364136223846793005 + 1442695040888963407
	return int64((r.state >> 33) % uint64(below))
}

// Starts f in a goroutine, and returns the channel that will have its result.
func spawn(f func() int64) chan int64 {
	result := make(chan int64, 1)
	go func() { result <- f() }()
	return result
}

func spawnAwait(n int64, _ *memory) (sum int64) {
	for i := int64(0); i < n; i++ {
		i := i
		sum += <-spawn(func() int64 { return i })
	}
	return
}

func spawnMany(n int64, m *memory) (sum int64) {
	tasks := make([]chan int64, 0, n)
	m.begin()
	for i := int64(0); i < n; i++ {
		i := i
		tasks = append(tasks, spawn(func() int64 { return i }))
	}
	m.end()
	for _, task := range tasks {
		sum += <-task
	}
	return
}

func yields(n int64, _ *memory) (sum int64) {
	var tasks []chan int64
	for i := 0; i < 1000; i++ {
		tasks = append(tasks, spawn(func() int64 {
			for i := int64(0); i < n/1000; i++ {
				runtime.Gosched()
			}
			return n / 1000
		}))
	}
	for _, task := range tasks {
		sum += <-task
	}
	return
}

func sleepers(n int64, _ *memory) int64 {
	numbers := random{1}
	tasks := make([]chan int64, 0, n)
	for i := int64(0); i < n; i++ {
		delay := time.Duration(numbers.next(100_000_000))
		tasks = append(tasks, spawn(func() int64 { time.Sleep(delay); return 0 }))
	}
	for _, task := range tasks {
		<-task
	}
	return n
}

func timers(n int64, _ *memory) (sum int64) {
	for i := int64(0); i < n; i++ {
		if time.AfterFunc(time.Hour, func() {}).Stop() {
			sum++
		}
	}
	return
}

func arm(delay time.Duration) *time.Timer { return time.AfterFunc(delay, func() {}) }

func stopAll(timers []*time.Timer) (sum int64) {
	for _, timer := range timers {
		if timer.Stop() {
			sum++
		}
	}
	return
}

func randomTimers(n int64, _ *memory) int64 {
	numbers := random{1}
	timers := make([]*time.Timer, 0, n)
	for i := int64(0); i < n; i++ {
		timers = append(timers, arm(time.Hour+time.Duration(numbers.next(100_000_000))))
	}
	return stopAll(timers)
}

func constantTimers(n int64, _ *memory) int64 {
	timers := make([]*time.Timer, 0, n)
	for i := int64(0); i < n; i++ {
		timers = append(timers, arm(time.Hour))
	}
	return stopAll(timers)
}

func timerWindow(n int64, _ *memory) (sum int64) {
	window := make([]*time.Timer, 0, 1000)
	for i := int64(0); i < n; i++ {
		if len(window) < 1000 {
			window = append(window, arm(30*time.Second))
			continue
		}
		if window[i%1000].Stop() {
			sum++
		}
		window[i%1000] = arm(30 * time.Second)
	}
	return sum + stopAll(window)
}

// Sleeps for an hour, or until it is cancelled.
func hang(ctx context.Context) int64 {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	select {
	case <-timer.C:
		return 0
	case <-ctx.Done():
		return 1
	}
}

func cancelSleeper(n int64, _ *memory) (sum int64) {
	for i := int64(0); i < n; i++ {
		ctx, cancel := context.WithCancel(context.Background())
		task := spawn(func() int64 { return hang(ctx) })
		runtime.Gosched()
		cancel()
		sum += <-task
	}
	return
}

func ping(n int64, _ *memory) (sum int64) {
	there, back := make(chan int64, 1), make(chan int64, 1)
	go func() {
		for i := int64(0); i < n; i++ {
			back <- <-there
		}
	}()
	for i := int64(0); i < n; i++ {
		there <- i
		sum += <-back
	}
	return
}

// Takes an item under some levels of function calls. They are not inlined.
//
//go:noinline
func get(queue chan int64, levels int) int64 {
	if levels == 1 {
		return <-queue
	}
	return get(queue, levels-1)
}

func pingUnderLevels(n int64, _ *memory) (sum int64) {
	there, back := make(chan int64, 1), make(chan int64, 1)
	go func() {
		for i := int64(0); i < n; i++ {
			back <- get(there, 20)
		}
	}()
	for i := int64(0); i < n; i++ {
		there <- i
		sum += <-back
	}
	return
}

func stream(n int64, _ *memory) (sum int64) {
	queue := make(chan int64, 64)
	go func() {
		for i := int64(0); i < n; i++ {
			queue <- i
		}
	}()
	for i := int64(0); i < n; i++ {
		sum += <-queue
	}
	return
}

// A goroutine that sleeps until it is cancelled.
type sleeper struct {
	cancel context.CancelFunc
	result chan int64
}

func startSleeper() sleeper {
	ctx, cancel := context.WithCancel(context.Background())
	return sleeper{cancel, spawn(func() int64 { return hang(ctx) })}
}

func (s sleeper) end() int64 {
	s.cancel()
	return <-s.result
}

func memoryOfSleepers(n int64, m *memory) (sum int64) {
	tasks := make([]sleeper, 0, n)
	m.begin()
	for i := int64(0); i < n; i++ {
		tasks = append(tasks, startSleeper())
	}
	runtime.Gosched()
	m.end()
	for _, task := range tasks {
		sum += task.end()
	}
	return
}

func memoryOfNamedSleepers(n int64, m *memory) (sum int64) {
	tasks := map[string]sleeper{}
	m.begin()
	for i := int64(0); i < n; i++ {
		tasks["sleeper "+strconv.FormatInt(i, 10)] = startSleeper()
	}
	runtime.Gosched()
	m.end()
	for _, task := range tasks {
		sum += task.end()
	}
	return
}

// Returns the workload, which then runs while one timer is pending.
func withTimer(work func(int64, *memory) int64) func(int64, *memory) int64 {
	return func(n int64, m *memory) int64 {
		defer arm(time.Hour).Stop()
		return work(n, m)
	}
}

var workloads = map[string]func(int64, *memory) int64{
	"W1":     spawnAwait,
	"W2":     spawnMany,
	"W3":     yields,
	"W5":     sleepers,
	"W5b":    randomTimers,
	"W5bf":   constantTimers,
	"W5bw":   timerWindow,
	"W5b1":   timers,
	"W6":     cancelSleeper,
	"W7":     ping,
	"W7b":    stream,
	"W9":     memoryOfSleepers,
	"W9n":    memoryOfNamedSleepers,
	"W1t":    withTimer(spawnAwait),
	"W3t":    withTimer(yields),
	"W7t":    withTimer(ping),
	"levels": pingUnderLevels,
}

func main() {
	runtime.GOMAXPROCS(1)
	if len(os.Args) != 3 && len(os.Args) != 4 {
		os.Exit(2)
	}
	times := 1
	if len(os.Args) == 4 {
		times, _ = strconv.Atoi(os.Args[3])
	}
	name := os.Args[1]
	n, err := strconv.ParseInt(os.Args[2], 10, 64)
	if err != nil {
		os.Exit(2)
	}
	workload, known := workloads[name]
	if !known {
		fmt.Fprintf(os.Stderr, "bench: no workload %s here\n", name)
		os.Exit(3)
	}
	var m, ofLast memory
	for i := 1; i < times; i++ {
		workload(n, &m)
	}
	begin := time.Now()
	checksum := workload(n, &ofLast)
	took := time.Since(begin)
	if times == 1 {
		m = ofLast
	}
	fmt.Printf("%s %.1f ns %.1f bytes %d\n", name, float64(took.Nanoseconds())/float64(n), float64(m.grown)/float64(n),
		checksum)
}
