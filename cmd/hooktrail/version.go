package main

import (
	"fmt"
	"runtime/debug"
)

// version is the release; a build from a checkout adds the commit.
const version = "0.1.0"

type versionCommand struct{}

// Run prints one line.
func (versionCommand) Run(p process) error {
	_, err := fmt.Fprintln(p.stdout, "hooktrail", fullVersion())
	return err
}

func fullVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" && len(setting.Value) >= 12 {
			return version + "+" + setting.Value[:12]
		}
	}
	return version
}
