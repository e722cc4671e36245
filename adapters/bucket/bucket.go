// Package bucket keeps files in a bucket of an S3-compatible object storage.
//
// # Decisions
//
// minio-go, since it knows object lock, streams large files in parts, and depends on no vendor's SDK. Credentials come from
// the environment, a file or the machine's role, as the tools of every vendor take them: they are never the program's flags.
//
// Names are under a prefix, so that a bucket can be shared. Only what is named is ever deleted.
package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// Lock is how a bucket keeps a file from being deleted before its time.
type Lock string

// The locks. A bucket must have been made with object lock for the last two.
const (
	LockNone       Lock = ""
	LockGovernance Lock = "governance" // who has a right of its own may delete all the same
	LockCompliance Lock = "compliance" // nobody may
)

// Config is what a Bucket is opened with.
type Config struct {
	// URL names bucket and prefix: s3://bucket/prefix.
	URL string
	// Endpoint is the storage's address: https://s3.eu-central-1.amazonaws.com. Plain http is for a storage nearby.
	Endpoint string
	Region   string // empty: asked for
	Lock     Lock
	// Credentials are those to sign with; nil: from the environment (AWS_ACCESS_KEY_ID and so on), ~/.aws, or the machine's role.
	Credentials *credentials.Credentials
}

// Bucket keeps files by name. It is safe for concurrent use.
type Bucket struct {
	client       *minio.Client
	name, prefix string
	lock         Lock
}

// Open makes a Bucket. It fails if the bucket can't be reached or isn't there.
func Open(ctx context.Context, c Config) (*Bucket, error) {
	at, err := url.Parse(c.URL)
	if err != nil || at.Scheme != "s3" || at.Host == "" || at.RawQuery != "" || at.User != nil {
		return nil, errors.New("a bucket is named like s3://bucket/prefix")
	}
	endpoint, err := url.Parse(c.Endpoint)
	if err != nil || endpoint.Host == "" || endpoint.Scheme != "https" && endpoint.Scheme != "http" || strings.Trim(endpoint.Path, "/") != "" {
		return nil, errors.New("the address of an object storage is like https://s3.eu-central-1.amazonaws.com")
	}
	if c.Lock != LockNone && c.Lock != LockGovernance && c.Lock != LockCompliance {
		return nil, errors.New("an object lock is governance or compliance")
	}
	if c.Credentials == nil {
		c.Credentials = credentials.NewChainCredentials([]credentials.Provider{
			&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}, &credentials.IAM{},
		})
	}
	client, err := minio.New(endpoint.Host, &minio.Options{Creds: c.Credentials, Secure: endpoint.Scheme == "https", Region: c.Region})
	if err != nil {
		return nil, fmt.Errorf("open the object storage: %w", err)
	}
	b := &Bucket{client: client, name: at.Host, lock: c.Lock}
	if b.prefix = strings.Trim(at.Path, "/"); b.prefix != "" {
		b.prefix += "/"
	}
	there, err := client.BucketExists(ctx, b.name)
	if err != nil {
		return nil, fmt.Errorf("look for the bucket: %w", err)
	}
	if !there {
		return nil, errors.New("there is no such bucket, or the credentials don't open it")
	}
	return b, nil
}

// Put uploads a file under a name. With a lock, nothing deletes it until a time.
func (b *Bucket) Put(ctx context.Context, name, path string, until time.Time) error {
	options := minio.PutObjectOptions{ContentType: "application/octet-stream", SendContentMd5: true}
	switch b.lock {
	case LockGovernance:
		options.Mode, options.RetainUntilDate = minio.Governance, until.UTC()
	case LockCompliance:
		options.Mode, options.RetainUntilDate = minio.Compliance, until.UTC()
	case LockNone:
	}
	if _, err := b.client.FPutObject(ctx, b.name, b.prefix+name, path, options); err != nil {
		return fmt.Errorf("upload to the bucket: %w", err)
	}
	return nil
}

// Open opens a file; there may be none (fs.ErrNotExist). What is read of it is fetched as it is read.
func (b *Bucket) Open(ctx context.Context, name string) (io.ReadSeekCloser, error) {
	object, err := b.client.GetObject(ctx, b.name, b.prefix+name, minio.GetObjectOptions{})
	if err != nil {
		return nil, fmt.Errorf("read from the bucket: %w", err)
	}
	if _, err := object.Stat(); err != nil { // the first that asks the storage
		_ = object.Close()
		if minio.ToErrorResponse(err).Code == minio.NoSuchKey {
			return nil, fs.ErrNotExist
		}
		return nil, fmt.Errorf("read from the bucket: %w", err)
	}
	return object, nil
}

// Delete deletes a file. One that isn't there is no error; one that is locked can't be deleted yet.
func (b *Bucket) Delete(ctx context.Context, name string) error {
	if err := b.client.RemoveObject(ctx, b.name, b.prefix+name, minio.RemoveObjectOptions{}); err != nil {
		return fmt.Errorf("delete from the bucket: %w", err)
	}
	return nil
}

// Names lists all files below the prefix.
func (b *Bucket) Names(ctx context.Context) (names []string, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop() // ends the listing where it failed
	for object := range b.client.ListObjects(ctx, b.name, minio.ListObjectsOptions{Prefix: b.prefix, Recursive: true}) {
		if object.Err != nil {
			return nil, fmt.Errorf("list the bucket: %w", object.Err)
		}
		names = append(names, strings.TrimPrefix(object.Key, b.prefix))
	}
	return names, nil
}
