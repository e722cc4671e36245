package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/hooktrail/hooktrail/adapters/postgres/eventlog"
	"github.com/hooktrail/hooktrail/adapters/postgres/views"
)

type recoverCommand struct {
	Storage    storageFlags `embed:""`
	Log        logFlags     `embed:""`
	AcceptLoss bool         `name:"accept-loss" help:"Go on with the database as it is. What it lacks is lost for good."`
}

// errLoss is what is left to decide.
var errLoss = errors.New("put the newest copy of the database back or, if there is none, run hooktrail recover --accept-loss")

// Run says what the database lacks of what this node knows was committed, and with the operator's word has the node go on
// without it. Views that reflect more than the log has are to be rebuilt then.
func (c recoverCommand) Run(ctx context.Context, p process) error {
	dir, err := dataDir(c.Storage.DataDir)
	if err != nil {
		return err
	}
	file := filepath.Join(dir, knownFile)
	return c.Storage.withLog(ctx, c.Log, func(log *eventlog.Log, _ *views.Views) error {
		loss, err := log.Replaced(ctx, file)
		if err != nil {
			return err
		}
		if loss == nil {
			_, err := fmt.Fprintln(p.stdout, "the database has everything that this node knows of: nothing is to be recovered")
			return err
		}
		fmt.Fprintf(p.stdout, "this node knows an entry at position %d that the database doesn't have: its log ends at position %d,\n"+
			"or holds other entries\n", loss.Known, loss.Head)
		if loss.Known > loss.Head {
			fmt.Fprintf(p.stdout, "lost at least: the %d entries of the positions %d to %d\n", loss.Known-loss.Head, loss.Head+1, loss.Known)
		}
		if !c.AcceptLoss {
			return errLoss
		}
		if err := eventlog.Forget(file); err != nil {
			return err
		}
		_, err = fmt.Fprintln(p.stdout, "accepted: the next start goes on with the database as it is (hooktrail rebuild makes the views anew)")
		return err
	})
}
