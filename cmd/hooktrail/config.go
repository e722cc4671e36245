package main

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/hooktrail/hooktrail/adapters/localpg"
	"github.com/hooktrail/hooktrail/adapters/webhook"
)

// Files in the data directory.
const (
	operatorKeyFile = "operator.key"
	masterKeyFile   = "master.key"
	nodeFile        = "node"
	lockFile        = "node.lock"
	postgresDir     = "postgres"
)

// storageFlags say where the log is and what opens it.
type storageFlags struct {
	DatabaseURL string `name:"database-url" env:"HOOKTRAIL_DATABASE_URL" help:"Postgres (14 or newer) to use, as the server's own role. Unset: a private Postgres in the data directory."`
	MigrateURL  string `name:"migrate-url" env:"HOOKTRAIL_MIGRATE_URL" help:"The same database as a role that may create tables and roles. Needed with database-url unless the schema is there."`

	DatabaseWait time.Duration `name:"database-wait" env:"HOOKTRAIL_DATABASE_WAIT" default:"2m" help:"How long a start waits for a database that can't be reached yet."`

	DataDir       string `name:"data-dir" env:"HOOKTRAIL_DATA_DIR" type:"path" help:"Where keys, the node's identity and the private Postgres are kept (default: /var/lib/hooktrail as root, else the XDG data directory)."`
	MasterKeyFile string `name:"master-key-file" env:"HOOKTRAIL_MASTER_KEY_FILE" type:"path" help:"The key that wraps all data keys (default: made once, mode 0600, in the data directory)."`
	InstanceName  string `name:"instance-name" env:"HOOKTRAIL_INSTANCE_NAME" help:"First half of every log's origin, fixed for a tenant when it is made (default: random, made once)."`
}

// dataDir is the directory asked for, or the default of this account.
func dataDir(asked string) (string, error) {
	if asked != "" {
		return asked, nil
	}
	return localpg.DefaultDir("hooktrail")
}

// validate refuses what can't be put together.
func (f storageFlags) validate() error {
	if f.MigrateURL != "" && f.DatabaseURL == "" {
		return usagef(
			"HOOKTRAIL_MIGRATE_URL is set without HOOKTRAIL_DATABASE_URL: set both, or neither for a private Postgres",
		)
	}
	if f.DatabaseWait < 0 || f.DatabaseWait > time.Hour {
		return usagef("HOOKTRAIL_DATABASE_WAIT lies between 0s and 1h")
	}
	for name, value := range map[string]string{"HOOKTRAIL_DATABASE_URL": f.DatabaseURL, "HOOKTRAIL_MIGRATE_URL": f.MigrateURL} {
		if value != "" && !strings.HasPrefix(value, "postgres://") && !strings.HasPrefix(value, "postgresql://") {
			return usagef("%s must be a URL such as postgres://user:password@host:5432/database", name)
		}
	}
	return validateInstanceName(f.InstanceName)
}

func validateInstanceName(name string) error {
	ok := len(name) <= 100
	for _, c := range name {
		ok = ok && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.')
	}
	if !ok || strings.HasPrefix(name, "-") || strings.HasPrefix(name, ".") {
		return usagef(
			"HOOKTRAIL_INSTANCE_NAME holds at most 100 of a-z, 0-9, - and ., and begins with a letter or digit (such as log.bank.example)",
		)
	}
	return nil
}

// egressFlags say which addresses endpoints may reach although the guard refuses them, which they may not reach
// although it lets them through, and whom receivers' certificates may be from.
type egressFlags struct {
	EgressAllow  []string `name:"egress-allow" env:"HOOKTRAIL_EGRESS_ALLOW" help:"CIDRs that endpoints may reach although they are loopback, private or link-local, and addresses with their port that they may reach although this server or its database is there, comma-separated."`
	EgressDeny   []string `name:"egress-deny" env:"HOOKTRAIL_EGRESS_DENY" help:"CIDRs, ports and CIDR:port that endpoints may not reach, even if they are public or allowed, comma-separated."`
	EgressCAFile string   `name:"egress-ca-file" env:"HOOKTRAIL_EGRESS_CA_FILE" type:"path" help:"PEM file of certificate authorities that are trusted for receivers besides the system's."`
}

// egress is what the flags come to.
type egress struct {
	allow       []webhook.EgressRule
	deny        []webhook.EgressRule
	authorities []*x509.Certificate
}

func (f egressFlags) egress() (egress, error) {
	allow, err := f.allowances()
	if err != nil {
		return egress{}, err
	}
	deny, err := f.denials()
	if err != nil {
		return egress{}, err
	}
	authorities, err := f.authorities()
	return egress{allow, deny, authorities}, err
}

// authorities reads the file as a whole: a certificate that can't be read must not be missing quietly.
func (f egressFlags) authorities() ([]*x509.Certificate, error) {
	if f.EgressCAFile == "" {
		return nil, nil
	}
	rest, err := os.ReadFile(f.EgressCAFile)
	if err != nil {
		return nil, usagef("HOOKTRAIL_EGRESS_CA_FILE: %v", err)
	}
	var found []*x509.Certificate
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, usagef(
				"HOOKTRAIL_EGRESS_CA_FILE: %s holds a %s: only certificates belong there",
				f.EgressCAFile,
				block.Type,
			)
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, usagef(
				"HOOKTRAIL_EGRESS_CA_FILE: certificate %d of %s can't be read: %v",
				len(found)+1,
				f.EgressCAFile,
				err,
			)
		}
		found = append(found, certificate)
	}
	if len(found) == 0 || bytes.Contains(rest, []byte("-----BEGIN")) {
		return nil, usagef(
			"HOOKTRAIL_EGRESS_CA_FILE: %s must hold certificates in PEM, each from -----BEGIN CERTIFICATE----- to its end",
			f.EgressCAFile,
		)
	}
	return found, nil
}

func (f egressFlags) allowances() ([]webhook.EgressRule, error) {
	var rules []webhook.EgressRule
	for _, text := range f.EgressAllow {
		rule, err := webhook.ParseAllowRule(strings.TrimSpace(text))
		if err != nil {
			return nil, usagef("HOOKTRAIL_EGRESS_ALLOW: %v: write them with commas between", err)
		}
		rules = append(rules, rule)
	}
	return rules, nil
}

func (f egressFlags) denials() ([]webhook.EgressRule, error) {
	var rules []webhook.EgressRule
	for _, text := range f.EgressDeny {
		rule, err := webhook.ParseEgressRule(strings.TrimSpace(text))
		if err != nil {
			return nil, usagef(
				"HOOKTRAIL_EGRESS_DENY: %v: write networks, ports or both, such as 10.0.0.0/8,25,203.0.113.0/24:8000-8999",
				err,
			)
		}
		rules = append(rules, rule)
	}
	return rules, nil
}

// logFlags shape the process's own log, which never holds payloads or secrets.
type logFlags struct {
	LogLevel  slog.Level `name:"log-level" env:"HOOKTRAIL_LOG_LEVEL" default:"INFO" help:"debug, info, warn or error."`
	LogFormat string     `name:"log-format" env:"HOOKTRAIL_LOG_FORMAT" enum:"auto,text,json" default:"auto" help:"text, json, or auto: text on a terminal, else JSON."`
}

func (f logFlags) logger(out *os.File) *slog.Logger {
	options := &slog.HandlerOptions{Level: f.LogLevel}
	if f.LogFormat == "text" || f.LogFormat == "auto" && term.IsTerminal(int(out.Fd())) {
		return slog.New(slog.NewTextHandler(out, options))
	}
	return slog.New(slog.NewJSONHandler(out, options))
}
