package main

import (
	"context"
	"fmt"
	"text/tabwriter"
)

type keysCommand struct {
	Create keysCreateCommand `cmd:"" help:"Make a key and print it, once."`
	List   keysListCommand   `cmd:"" help:"List keys."`
	Revoke keysRevokeCommand `cmd:"" help:"Revoke a key."`
}

// keyScope says whose keys: a tenant's, or the instance's.
type keyScope struct {
	API      apiFlags `embed:""`
	Tenant   string   `name:"tenant" default:"default" help:"Whose keys."`
	Instance bool     `name:"instance" help:"The instance's keys (operator, monitor) instead of a tenant's."`
}

func (s keyScope) path() string {
	if s.Instance {
		return "/v1/keys"
	}
	return "/v1/tenants/" + s.Tenant + "/keys"
}

type keysCreateCommand struct {
	keyScope  `embed:""`
	Role      string `name:"role" required:"" help:"operator, admin, producer, auditor, privacy, receiver or monitor."`
	Name      string `name:"name" required:"" help:"What the key is for."`
	Principal string `name:"principal" help:"The person or system behind it (default: the name)."`
	Endpoint  string `name:"endpoint" help:"A receiver's one endpoint."`
	ExpiresAt string `name:"expires-at" help:"When it ends, as RFC 3339."`
	Reason    string `name:"reason" help:"Why, for the log."`
}

// Run prints the key alone on standard output, so that it can be piped into a secret store.
func (c keysCreateCommand) Run(ctx context.Context, p process) error {
	if !c.Instance && (c.Role == "operator" || c.Role == "monitor") {
		return usagef("--role %s is one of the whole instance: add --instance", c.Role)
	}
	client, err := c.API.client()
	if err != nil {
		return err
	}
	body := map[string]any{"role": c.Role, "name": c.Name}
	for member, value := range map[string]string{
		"principal": c.Principal, "endpoint_id": c.Endpoint, "expires_at": c.ExpiresAt, "reason": c.Reason,
	} {
		if value != "" {
			body[member] = value
		}
	}
	var made struct{ ID, Key string }
	if err := client.call(ctx, "POST", c.path(), body, &made); err != nil {
		return err
	}
	fmt.Fprintf(p.stderr, "key %s is shown this once:\n", made.ID)
	_, err = fmt.Fprintln(p.stdout, made.Key)
	return err
}

type keysListCommand struct {
	keyScope `embed:""`
}

type keyRow struct {
	ID, Role, Name, Principal string
	ExpiresAt                 string `json:"expires_at"`
}

// Run prints a table.
func (c keysListCommand) Run(ctx context.Context, p process) error {
	client, err := c.API.client()
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(p.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tROLE\tNAME\tPRINCIPAL\tEXPIRES")
	cursor := ""
	for {
		var page struct {
			Items []keyRow
			Next  *string
		}
		if err := client.call(ctx, "GET", c.path()+"?limit=1000"+cursor, nil, &page); err != nil {
			return err
		}
		for _, k := range page.Items {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", k.ID, k.Role, k.Name, k.Principal, k.ExpiresAt)
		}
		if page.Next == nil {
			return table.Flush()
		}
		cursor = "&cursor=" + *page.Next
	}
}

type keysRevokeCommand struct {
	keyScope `embed:""`
	ID       string `arg:"" help:"The key's id, as list shows it."`
}

// Run revokes one key.
func (c keysRevokeCommand) Run(ctx context.Context, _ process) error {
	client, err := c.API.client()
	if err != nil {
		return err
	}
	return client.call(ctx, "DELETE", c.path()+"/"+c.ID, nil, nil)
}
