package main

import (
	"io"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// TestVariables_empty: an empty variable is one that isn't set, whatever its flag reads, in every command.
func TestVariables_empty(t *testing.T) { //nolint:paralleltest // it sets variables
	var names []string
	var commands [][]string
	var walk func(*kong.Node, []string)
	walk = func(n *kong.Node, path []string) {
		for _, flag := range n.Flags {
			names = append(names, flag.Envs...)
		}
		for _, child := range n.Children {
			walk(child, append(append([]string{}, path...), child.Name))
		}
		if n.Leaf() && len(path) > 0 {
			commands = append(commands, path)
		}
	}
	read := func(args []string) (cli, string) {
		var read cli
		parser, err := newParser(t.Context(), &read, process{io.Discard, io.Discard})
		if err != nil {
			t.Fatal(err)
		}
		if args == nil {
			walk(parser.Model.Node, nil)
			return read, ""
		}
		if _, err = parser.Parse(args); err != nil {
			return read, err.Error()
		}
		return read, ""
	}
	read(nil)
	if len(names) < 20 || len(commands) < 10 {
		t.Fatalf("%d variables, %d commands", len(names), len(commands))
	}
	for _, name := range names {
		if !strings.HasPrefix(name, variablePrefix) {
			t.Errorf("%s doesn't begin with %s", name, variablePrefix)
		}
		t.Setenv(name, "set") // so that it is put back
		if err := os.Unsetenv(name); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range commands {
		want, mistake := read(args)
		for _, name := range names {
			if err := os.Setenv(name, ""); err != nil { //nolint:usetesting // t.Setenv was called for all of them
				t.Fatal(err)
			}
		}
		if err := dropEmptyVariables(); err != nil {
			t.Fatal(err)
		}
		got, other := read(args)
		if mistake != other || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %s with empty variables; %+v, %s without any", args, got, other, want, mistake)
		}
	}
}
