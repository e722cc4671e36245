package main

import (
	"context"
	"os"

	"github.com/hooktrail/hooktrail/adapters/webhook"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// addedProfiles offers the wire formats of the directory to the courier.
type addedProfiles struct {
	directory *projections.Directory
	current   func(ctx context.Context) error
}

func (a addedProfiles) Profiles(n int) []domain.ProfileAdded {
	var added []domain.ProfileAdded
	for _, row := range a.directory.Profiles()[n:] {
		added = append(added, domain.ProfileAdded{Profile: row.ProfileName, Document: row.Document})
	}
	return added
}

func (a addedProfiles) Current(ctx context.Context) error { return a.current(ctx) }

// webhookOrigin is the name by which receivers know this instance: the one configured, else the machine's if it can be
// one.
func webhookOrigin(configured string) string {
	if configured != "" {
		return configured
	}
	host, err := os.Hostname()
	if err != nil || webhook.CheckOrigin(host) != nil {
		return ""
	}
	return host
}
