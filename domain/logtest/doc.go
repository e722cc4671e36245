// Package logtest has the log in memory, with which decisions are tested on a fake clock, and the suite that every
// domain.Log must pass.
package logtest
