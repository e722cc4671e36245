package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// userTick is the unit of processor times in /proc: USER_HZ is 100 on every Linux that Go runs on.
const userTick = 10 * time.Millisecond

// processorTime is what a process and those it started have used so far, ended ones included; 0 where /proc doesn't
// tell.
func processorTime(pid int) time.Duration {
	used, _ := processStat(pid)
	children, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return used
	}
	for _, dir := range children {
		child, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		if own, parent := processStat(child); parent == pid {
			used += own
		}
	}
	return used
}

// processStat reads the processor time of one process, with that of children it has waited for, and its parent
// (proc(5)).
func processStat(pid int) (used time.Duration, parent int) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, 0 // ended meanwhile
	}
	_, rest, ok := strings.Cut(string(text), ") ") // the name in parentheses may hold anything
	fields := strings.Fields(rest)
	if !ok || len(fields) < 15 {
		return 0, 0
	}
	parent, _ = strconv.Atoi(fields[1]) // the kernel's own numbers
	for _, field := range fields[11:15] {
		ticks, _ := strconv.ParseInt(field, 10, 64)
		used += time.Duration(ticks) * userTick
	}
	return used, parent
}

// postmaster is the process id of the Postgres in a data directory, 0 if it isn't told.
func postmaster(dir string) int {
	text, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, _ := strconv.Atoi(strings.TrimSpace(line))
	return pid
}

// processors are the processor times of everything that takes part in a delivery.
type processors struct{ Server, Postgres, Receiver, Generator time.Duration }

// perDelivery is what was used since earlier, in microseconds a delivery.
func (p processors) perDelivery(earlier processors, deliveries int) map[string]float64 {
	each := func(now, before time.Duration) float64 {
		return round(float64((now-before).Microseconds())/float64(deliveries), 0)
	}
	return map[string]float64{
		"server": each(p.Server, earlier.Server), "postgres": each(p.Postgres, earlier.Postgres),
		"receiver": each(p.Receiver, earlier.Receiver), "generator": each(p.Generator, earlier.Generator),
	}
}
