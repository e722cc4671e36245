package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi"
)

// operatorKey makes sure that there is a key with which the instance can be operated: the one that was given, or, on a
// new instance, one that is made and kept in the data directory; a terminal is shown it once.
func (s *server) operatorKey(ctx context.Context) error {
	if s.AdminKey != "" {
		return s.importOperatorKey(ctx)
	}
	claim := domain.Claim{Tenant: domain.InstanceTenant, Scope: "operator key", Key: "first", Count: 1}
	made, err := s.entries.Claimed(ctx, []domain.Claim{claim})
	if err != nil || made[0] != nil {
		return err
	}
	key := openapi.NewKey()
	path := filepath.Join(s.dir, operatorKeyFile)
	// Written before it is appended: a key that only the log knows would open nothing.
	if err := os.WriteFile(path, []byte(key+"\n"), 0o600); err != nil {
		return fmt.Errorf("keep the operator key: %w", err)
	}
	err = s.appendOperatorKey(ctx, key, claim)
	if taken := new(domain.ClaimedError); errors.As(err, &taken) { // another node was quicker, and has printed its own
		return os.Remove(path)
	}
	if err != nil {
		return err
	}
	return announceKey(s.process.stdout, path, key)
}

// announceKey shows a new operator key to who sits at a terminal. Anything else may be kept, as a log is: it is told
// where the key is.
func announceKey(w io.Writer, path, key string) error {
	text := fmt.Sprintf("the operator key was made and is kept in %s\n", path)
	if isTerminal(w) {
		text = fmt.Sprintf("operator key (shown this once, kept in %s): %s\n", path, key)
	}
	_, err := io.WriteString(w, text)
	return err
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// importOperatorKey makes the given key valid, once for ever: after its revocation it is refused.
func (s *server) importOperatorKey(ctx context.Context) error {
	hash := openapi.HashKey(s.AdminKey)
	claim := domain.Claim{Tenant: domain.InstanceTenant, Scope: "operator key", Key: hex.EncodeToString(hash[:]), Count: 1}
	err := s.appendOperatorKey(ctx, s.AdminKey, claim)
	taken := new(domain.ClaimedError)
	if !errors.As(err, &taken) {
		return err
	}
	head, err := s.entries.Head(ctx)
	if err != nil {
		return err
	}
	if err := s.directory.Await(ctx, head); err != nil {
		return err
	}
	if _, ok := s.directory.KeyByHash(hash); !ok {
		return usagef("HOOKTRAIL_ADMIN_KEY was revoked: give another one, or leave it unset to go on with the keys that there are")
	}
	return nil
}

func (s *server) appendOperatorKey(ctx context.Context, key string, claim domain.Claim) error {
	hash := openapi.HashKey(key)
	id := domain.NewUUID()
	fact, err := domain.CreateKey(domain.KeyConfig{
		KeyNames: domain.KeyNames{Name: "operator", Principal: "operator"},
		KeyRights: domain.KeyRights{
			ID: id, Role: domain.RoleOperator, PrincipalID: domain.NewUUID(),
			Hash: hash[:], Instance: true, Imported: s.AdminKey != "",
		},
	}, time.Now().UTC().Truncate(time.Microsecond))
	if err != nil {
		return err
	}
	_, err = domain.AppendOne(ctx, s.entries, domain.Group{
		Drafts: []domain.Draft{{
			Tenant: domain.InstanceTenant, Stream: domain.Stream{Kind: domain.StreamKey, ID: id},
			Subject: fact.Key.Subject(), Fact: fact,
		}},
		Claims: []domain.Claim{claim},
	})
	if err != nil {
		return fmt.Errorf("append the operator key: %w", err)
	}
	return nil
}

// sayStarted puts into the instance's log which program serves from now on, and how it is configured.
func (s *server) sayStarted(ctx context.Context) error {
	allow := make([]string, 0, len(s.egress.allow))
	for _, rule := range s.egress.allow {
		allow = append(allow, rule.String())
	}
	deny := make([]string, 0, len(s.Egress.EgressDeny))
	for _, rule := range s.Egress.EgressDeny {
		deny = append(deny, strings.TrimSpace(rule))
	}
	_, err := domain.AppendOne(ctx, s.entries, domain.Group{Drafts: []domain.Draft{{
		Tenant: domain.InstanceTenant, Stream: domain.Stream{Kind: domain.StreamServer, ID: s.node.id},
		Fact: &domain.ServerStarted{
			Node: s.node.id, Version: fullVersion(), ConfigurationDigest: s.configurationDigest(allow, deny),
			EgressAllow: allow, EgressDeny: deny,
		},
	}}})
	if err != nil {
		return fmt.Errorf("append that the server starts: %w", err)
	}
	return nil
}

// configurationDigest tells two configurations apart without saying what is in them. Secrets and URLs have no part in it.
func (s *server) configurationDigest(allow, deny []string) string {
	var authorities [][]byte
	for _, certificate := range s.egress.authorities {
		authorities = append(authorities, certificate.Raw)
	}
	b, _ := json.Marshal([]any{ // plain values
		s.Listen, s.MaxDataBytes, allow, deny, authorities, s.entries.InstanceName(), s.storage.private != nil,
	})
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
