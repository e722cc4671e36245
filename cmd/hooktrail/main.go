// Command hooktrail is the whole product in one binary: the server, its receiver for trying things out, and the tools
// of an operator. main hands over to run; each subcommand has a file of its own, and serve.go wires the parts by hand.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	_ "time/tzdata" // filters may name time zones, on machines that have no list of them

	"github.com/alecthomas/kong"
)

// Exit codes of every subcommand.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

type cli struct {
	Serve   serveCommand   `cmd:"" help:"Run the server: API, dispatcher and views."`
	Migrate migrateCommand `cmd:"" help:"Bring the database's schema up to this version, then exit."`
	Listen  listenCommand  `cmd:"" help:"Receive webhooks, check their signatures and print them."`
	Keys    keysCommand    `cmd:"" help:"Make, list and revoke API keys through a running server."`
	Tail    tailCommand    `cmd:"" help:"Print a tenant's log as it grows."`
	Export  exportCommand  `cmd:"" help:"Write a file of a tenant's history, through a running server."`
	Bench   benchCommand   `cmd:"" help:"Measure appends, deliveries and latency on this machine."`
	Verify  verifyCommand  `cmd:"" help:"Recompute the log from its leaves and say whether anything was changed."`
	Rebuild rebuildCommand `cmd:"" help:"Make the views anew from the log."`
	Recover recoverCommand `cmd:"" help:"Say what an older copy of the database lacks, and go on without it if told so."`
	OpenAPI openapiCommand `cmd:"" name:"openapi" help:"Print the OpenAPI document."`
	Version versionCommand `cmd:"" help:"Print the version."`

	EventTypes eventTypesCommand `cmd:"" name:"event-types" help:"Import, export and list catalogues of event types."`

	BenchReceiver benchReceiverCommand `cmd:"" hidden:"" help:"The receiver that bench starts."`
}

// process is what a subcommand may use of the process around it.
type process struct {
	stdout, stderr io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks to stop. From then on signals do what they usually do, so that a second one ends the process
	// at once, however long a stop may take.
	context.AfterFunc(ctx, stop)
	if err := dropEmptyVariables(); err != nil {
		fmt.Fprintln(os.Stderr, "hooktrail:", err)
		os.Exit(exitFailed)
	}
	code := run(ctx, os.Args[1:], process{stdout: os.Stdout, stderr: os.Stderr})
	stop()
	os.Exit(code)
}

// variablePrefix begins every variable's name.
const variablePrefix = "HOOKTRAIL_"

// dropEmptyVariables makes an empty variable the same as one that isn't set, as compose files and unit files have it. It
// is the one place where that is decided: each flag for itself would read the empty text.
func dropEmptyVariables() error {
	for _, variable := range os.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		if value == "" && strings.HasPrefix(name, variablePrefix) {
			if err := os.Unsetenv(name); err != nil {
				return fmt.Errorf("drop the empty variable %s: %w", name, err)
			}
		}
	}
	return nil
}

// newParser reads a command line into commands.
func newParser(ctx context.Context, commands *cli, p process) (*kong.Kong, error) {
	return kong.New(commands, kong.Name("hooktrail"), kong.Writers(p.stdout, p.stderr),
		kong.Description("A compliance-grade event log with webhook delivery."),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(p),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
}

// run parses the arguments, runs one subcommand until it ends or ctx does, and returns the exit code.
func run(ctx context.Context, args []string, p process) int {
	var commands cli
	parser, err := newParser(ctx, &commands, p)
	if err != nil {
		fmt.Fprintln(p.stderr, "hooktrail:", err)
		return exitUsage
	}
	if len(args) == 0 {
		return printHelp(parser, p)
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(p.stderr, "hooktrail: %v (hooktrail --help lists commands and flags)\n", err)
		return exitUsage
	}
	err = parsed.Run()
	var usage *usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		fmt.Fprintln(p.stderr, "hooktrail:", err)
		return exitUsage
	default:
		fmt.Fprintln(p.stderr, "hooktrail:", err)
		return exitFailed
	}
}

// printHelp answers a command line without a command, which asks for nothing and is a mistake in a script.
func printHelp(parser *kong.Kong, p process) int {
	parser.Stdout = p.stderr
	asked, err := kong.Trace(parser, nil)
	if err == nil {
		err = asked.PrintUsage(false)
	}
	if err != nil {
		fmt.Fprintln(p.stderr, "hooktrail:", err)
	}
	return exitUsage
}

// usageError is a mistake in flags or variables that only shows when they are put together.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}
