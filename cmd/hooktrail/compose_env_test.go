package main_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestCompose_Environment takes the known variables from the declarations of flags in this folder.
func TestCompose_Environment(t *testing.T) {
	t.Parallel()
	known := declaredVariables(t)
	for _, name := range []string{"server", "migrate"} {
		for variable := range composeProject(t).Services[name].Environment {
			if !slices.Contains(known, variable) {
				t.Errorf("%s sets %s, which no flag declares (they are %v)", name, variable, known)
			}
		}
	}
}

func declaredVariables(t *testing.T) []string {
	t.Helper()
	tag := regexp.MustCompile(`env:"(HOOKTRAIL_[A-Z_]+)"`)
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range tag.FindAllSubmatch(text, -1) {
			names = append(names, string(match[1]))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
