package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/hooktrail/hooktrail/adapters/bucket"
	"github.com/hooktrail/hooktrail/adapters/export"
	"github.com/hooktrail/hooktrail/domain"
)

// exportFlags say where exports are kept, for how long, and how much room they have.
type exportFlags struct {
	Dir         string        `name:"export-dir" env:"HOOKTRAIL_EXPORT_DIR" type:"path" help:"Where exports are written and kept, unsealed; servers of one instance share it (default: exports in the data directory)."`
	Bucket      string        `name:"export-bucket" env:"HOOKTRAIL_EXPORT_BUCKET" help:"Where finished exports are kept instead of the directory: s3://bucket/prefix. Credentials are those of the environment (AWS_ACCESS_KEY_ID and so on), ~/.aws, or the machine's role."`
	Endpoint    string        `name:"export-s3-endpoint" env:"HOOKTRAIL_EXPORT_S3_ENDPOINT" default:"https://s3.amazonaws.com" help:"Address of the object storage."`
	Region      string        `name:"export-s3-region" env:"HOOKTRAIL_EXPORT_S3_REGION" help:"The bucket's region (default: asked for)."`
	Lock        string        `name:"export-object-lock" env:"HOOKTRAIL_EXPORT_OBJECT_LOCK" enum:",governance,compliance" default:"" help:"Have the bucket, made with object lock, keep exports until they expire: governance or compliance. They can't be deleted earlier."`
	Keep        time.Duration `name:"export-keep" env:"HOOKTRAIL_EXPORT_KEEP" default:"168h" help:"How long an export's file is kept unless its request says otherwise, from 1h to 2160h."`
	Quota       int64         `name:"export-quota" env:"HOOKTRAIL_EXPORT_QUOTA" default:"21474836480" help:"Bytes that all exports together may have."`
	TenantQuota int64         `name:"export-tenant-quota" env:"HOOKTRAIL_EXPORT_TENANT_QUOTA" default:"5368709120" help:"Bytes that one tenant's exports may have."`
}

func (f exportFlags) validate() error {
	if f.Keep < domain.MinExportKeep || f.Keep > domain.MaxExportKeep {
		return usagef("HOOKTRAIL_EXPORT_KEEP lies between 1h and 2160h")
	}
	if f.Bucket == "" && f.Lock != "" {
		return usagef("HOOKTRAIL_EXPORT_OBJECT_LOCK is for a bucket: set HOOKTRAIL_EXPORT_BUCKET")
	}
	if f.Quota < 1 || f.TenantQuota < 1 {
		return usagef("HOOKTRAIL_EXPORT_QUOTA and HOOKTRAIL_EXPORT_TENANT_QUOTA are numbers of bytes, at least 1")
	}
	return nil
}

// exportsDir is the directory of exports in the data directory.
const exportsDir = "exports"

// openExports makes what writes exports.
func (s *server) openExports(ctx context.Context) error {
	dir := s.Exports.Dir
	if dir == "" {
		dir = filepath.Join(s.dir, exportsDir)
	}
	if _, err := export.NewDir(dir); err != nil {
		return err
	}
	store, err := s.exportStore(ctx, dir)
	if err != nil {
		return err
	}
	s.exports = export.NewRunner(export.Settings{
		Log: s.entries, Views: s.views, Leases: s.entries.Leases(), Store: store, Work: filepath.Join(dir, "work"),
		Node: s.node.id, Displaced: s.node.displaced, Quota: s.Exports.Quota, TenantQuota: s.Exports.TenantQuota, Logger: s.log,
	})
	return nil
}

// exportStore opens what keeps finished exports.
func (s *server) exportStore(ctx context.Context, dir string) (export.Store, error) {
	f := s.Exports
	if f.Bucket == "" {
		return export.NewDir(filepath.Join(dir, "files"))
	}
	store, err := bucket.Open(ctx, bucket.Config{URL: f.Bucket, Endpoint: f.Endpoint, Region: f.Region, Lock: bucket.Lock(f.Lock)})
	if err != nil {
		return nil, fmt.Errorf("HOOKTRAIL_EXPORT_BUCKET: %w", err)
	}
	return store, nil
}
