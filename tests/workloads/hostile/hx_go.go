// SPDX-License-Identifier: GPL-2.0-or-later

// Goroutines with stacks that grow and move, and panics that are recovered. Options and output are
// those of hx.h.
//
//	main.deep(600)           4 times, from fresh goroutines: 2,404 calls; the stack is copied
//	                          while they are in their middle
//	main.task → main.part     300 goroutines, 5 and 10 times each: 1,500 and 3,000 calls, with a
//	                          yield in the middle of task
//	main.risky → main.blow    60 times; blow panics for odd numbers (30 times), risky recovers and
//	                          returns
//	main.passOn → main.blow   20 times; blow panics, passOn is passed, its deferred call runs
//	main.fail                 2 goroutines that end by runtime.Goexit in fail
package main

import (
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
)

var nDeep, nTask, nPart, nRisky, nBlow, nBlown, nPassOn, nDeferred, nFail, sum uint64

func add(v uint64) {
	v = (v ^ v>>31) * 0x9e3779b97f4a7c15
	atomic.AddUint64(&sum, v^v>>29)
}

//go:noinline
func deep(n uint64) uint64 {
	var filler [16]uint64
	atomic.AddUint64(&nDeep, 1)
	filler[n%16] = n
	if n == 0 {
		return 1
	}
	return deep(n-1)*3 + filler[n%16]
}

//go:noinline
func part(x uint64) uint64 {
	atomic.AddUint64(&nPart, 1)
	return x*7 + 1
}

//go:noinline
func task(x uint64) uint64 {
	atomic.AddUint64(&nTask, 1)
	a := part(x)
	runtime.Gosched()
	return a + part(x+1)
}

//go:noinline
func blow(x uint64) uint64 {
	atomic.AddUint64(&nBlow, 1)
	if x%2 == 1 {
		atomic.AddUint64(&nBlown, 1)
		panic("blown")
	}
	return x
}

//go:noinline
func risky(x uint64) (result uint64) {
	atomic.AddUint64(&nRisky, 1)
	defer func() {
		if recover() != nil {
			result = 1000 + x
		}
	}()
	return blow(x) + 1
}

//go:noinline
func passOn(x uint64) uint64 {
	atomic.AddUint64(&nPassOn, 1)
	defer func() { atomic.AddUint64(&nDeferred, 1) }()
	return blow(2*x+1) + 1
}

//go:noinline
func fail() {
	atomic.AddUint64(&nFail, 1)
	runtime.Goexit()
}

func goroutines() {
	var all sync.WaitGroup
	for g := uint64(0); g < 300; g++ {
		all.Add(1)
		go func(g uint64) {
			defer all.Done()
			for i := uint64(0); i < 5; i++ {
				add(task(g*10 + i))
			}
		}(g)
	}
	for g := uint64(0); g < 4; g++ {
		all.Add(1)
		go func(g uint64) {
			defer all.Done()
			add(deep(600) + g)
		}(g)
	}
	for g := 0; g < 2; g++ {
		all.Add(1)
		go func() {
			defer all.Done()
			fail()
		}()
	}
	all.Wait()
}

func panics() {
	for i := uint64(0); i < 60; i++ {
		add(risky(i))
	}
	for i := uint64(0); i < 20; i++ {
		func() {
			defer func() { add(uint64(len(recover().(string)))) }()
			passOn(i)
		}()
	}
}

func gate() {
	if len(os.Args) < 2 || os.Args[1] != "--wait" {
		return
	}
	os.Stdout.WriteString("ready " + strconv.Itoa(os.Getpid()) + "\n")
	var b [1]byte
	for {
		n, err := os.Stdin.Read(b[:])
		if err != nil || n == 1 && b[0] == '\n' {
			return
		}
	}
}

func say(what, name string, count, planted uint64) bool {
	os.Stdout.WriteString(what + " main." + name + " " + strconv.FormatUint(count, 10) + "\n")
	return count != planted
}

func main() {
	gate()
	goroutines()
	panics()
	runtime.GC()
	wrong := say("calls", "deep", nDeep, 2404)
	wrong = say("calls", "task", nTask, 1500) || wrong
	wrong = say("calls", "part", nPart, 3000) || wrong
	wrong = say("calls", "risky", nRisky, 60) || wrong
	wrong = say("calls", "blow", nBlow, 80) || wrong
	wrong = say("unwound", "blow", nBlown, 50) || wrong
	wrong = say("calls", "passOn", nPassOn, 20) || wrong
	wrong = say("unwound", "passOn", nDeferred, 20) || wrong
	wrong = say("calls", "fail", nFail, 2) || wrong
	hex := strconv.FormatUint(sum, 16)
	for len(hex) < 16 {
		hex = "0" + hex
	}
	os.Stdout.WriteString("checksum " + hex + "\n")
	if wrong {
		os.Exit(1)
	}
	os.Exit(42)
}
