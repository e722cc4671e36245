package main

import (
	"context"
	"errors"
	"fmt"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hooktrail/hooktrail/adapters/postgres/eventlog"
	"github.com/hooktrail/hooktrail/adapters/postgres/views"
	"github.com/hooktrail/hooktrail/domain"
)

type recoverCommand struct {
	Storage    storageFlags `embed:""`
	Log        logFlags     `embed:""`
	AcceptLoss bool         `name:"accept-loss" help:"Go on with the database as it is. What it lacks is lost for good; the log says who decided so."`
	Damage     string       `name:"accept-damage" placeholder:"TENANT/SEQUENCE" help:"Go on without the content of this entry, which hooktrail verify says is damaged; the log says who decided so."`
	Who        whoFlags     `embed:""`
}

// errLoss is what is left to decide.
var errLoss = errors.New(
	"put the newest copy of the database back or, if there is none, run hooktrail recover --accept-loss",
)

// Run says what the database lacks of what this node knows was committed, and with the operator's word has the node go
// on without it. Views that reflect more than the log has are to be rebuilt then.
func (c recoverCommand) Run(ctx context.Context, p process) error {
	dir, err := dataDir(c.Storage.DataDir)
	if err != nil {
		return err
	}
	if c.Damage != "" {
		return c.acceptDamage(ctx, p)
	}
	file := filepath.Join(dir, knownFile)
	return c.Storage.withLog(ctx, c.Log, func(log *eventlog.Log, _ *views.Views) error {
		loss, err := eventlog.Replaced(ctx, log, file)
		if err != nil {
			return err
		}
		if loss == nil {
			_, err := fmt.Fprintln(p.stdout, "the database has everything that this node knows of: nothing is to be recovered")
			return err
		}
		fmt.Fprintf(
			p.stdout,
			"this node knows an entry at position %d that the database doesn't have: its log ends at position %d,\n"+
				"or holds other entries\n",
			loss.Known,
			loss.Head,
		)
		if loss.Known > loss.Head {
			fmt.Fprintf(
				p.stdout,
				"lost at least: the %d entries of the positions %d to %d\n",
				loss.Known-loss.Head,
				loss.Head+1,
				loss.Known,
			)
		}
		if !c.AcceptLoss {
			return errLoss
		}
		by, err := c.Who.person()
		if err != nil {
			return err
		}
		err = appending(ctx, log, func() error { return eventlog.AcceptLoss(ctx, log, file, *loss, by, c.Who.Reason) })
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(
			p.stdout,
			"accepted: the next start goes on with the database as it is (hooktrail rebuild makes the views anew)",
		)
		return err
	})
}

// acceptDamage puts into a tenant's log that an operator goes on without the content of an entry.
func (c recoverCommand) acceptDamage(ctx context.Context, p process) error {
	tenant, number, _ := strings.Cut(c.Damage, "/")
	sequence, err := strconv.ParseInt(number, 10, 64)
	if err != nil || sequence < 0 || tenant == "" {
		return usagef("--accept-damage is a tenant and a sequence of its log, such as default/41")
	}
	by, err := c.Who.person()
	if err != nil {
		return err
	}
	return c.Storage.withLog(ctx, c.Log, func(log *eventlog.Log, _ *views.Views) error {
		err := appending(ctx, log, func() error {
			return eventlog.AcceptDamage(ctx, log, domain.TenantID(tenant), domain.Sequence(sequence), by, c.Who.Reason)
		})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(p.stdout, "accepted: the tenant's log says so")
		return err
	})
}

// whoFlags say who decides at the command line, and why: a decision becomes a fact.
type whoFlags struct {
	By     string `name:"by" help:"Who decides, for the log (default: this account's name)."`
	Reason string `name:"reason" help:"Why, for the log."`
}

func (f whoFlags) person() (domain.Person, error) {
	name := f.By
	if name == "" {
		account, err := user.Current()
		if err != nil {
			return domain.Person{}, usagef("who decides isn't known: say it with --by (%v)", err)
		}
		name = account.Username
	}
	if len(name) > 100 || !utf8.ValidString(name) || len(f.Reason) > 1000 || !utf8.ValidString(f.Reason) {
		return domain.Person{}, usagef("--by has at most 100 bytes of UTF-8, --reason at most 1000")
	}
	return domain.Person{Name: name}, nil
}

// appending runs the log's appender while f runs.
func appending(ctx context.Context, log *eventlog.Log, f func() error) error {
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- log.Run(running) }()
	err := f()
	stop()
	return errors.Join(err, <-ended)
}
