package main_test

import (
	"bytes"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// root is the project's folder, seen from this package's.
const root = "../.."

// maxLines keeps a file to what one can hold in mind; most have less than a third of it.
const maxLines = 600

// topLevel is all that may stand in the project's folder. A new name there is a decision, made here.
var topLevel = []string{
	"cmd", "domain", "projections", "adapters", "openapi", "migrations",
	"go.mod", "go.sum", "README.md", "CHANGELOG.md", "LICENSE", "docker-compose.yml",
	".ci", ".github", ".golangci.yml", ".gitignore", ".gitattributes", ".dockerignore",
}

// selfExplaining methods are named by interfaces of the standard library that every reader knows.
var selfExplaining = []string{
	"Error", "Is", "Unwrap", "String", "LogValue", "Len", "Less", "Swap",
	"MarshalJSON", "UnmarshalJSON", "MarshalText", "UnmarshalText",
}

func TestTopLevel(t *testing.T) {
	t.Parallel()
	for _, name := range topNames(t) {
		if !slices.Contains(topLevel, name) {
			t.Errorf("%s stands in the project's folder: put it below one of %v", name, topLevel)
		}
	}
}

// topNames asks git, which knows what it ignores; without a repository (an unpacked archive) all that is there counts.
func topNames(t *testing.T) []string {
	t.Helper()
	var names []string
	if _, err := os.Stat(filepath.Join(root, ".git")); errors.Is(err, fs.ErrNotExist) {
		entries, err := os.ReadDir(root)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			names = append(names, entry.Name())
		}
		return names
	}
	cmd := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	for file := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		first, _, _ := strings.Cut(file, "/")
		names = append(names, first)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// TestDocs holds every package to a `// Package x` sentence and every exported name to a comment. Package main exports
// nothing to anybody, and its command line is documented by its help.
func TestDocs(t *testing.T) {
	t.Parallel()
	files := slices.DeleteFunc(sourceFiles(t), func(f sourceFile) bool { return strings.HasSuffix(f.name, "_test.go") })
	promised := map[string][]string{} // by folder, the methods of its interfaces: described there, once
	for _, f := range files {
		dir := filepath.Dir(f.name)
		promised[dir] = append(promised[dir], interfaceMethods(f.ast)...)
	}
	described := map[string]bool{} // by folder
	for _, f := range files {
		dir := filepath.Dir(f.name)
		described[dir] = described[dir] || describes(f.ast)
		if f.ast.Name.Name == "main" || ast.IsGenerated(f.ast) {
			continue
		}
		for _, name := range undocumented(f.ast, append(promised[dir], selfExplaining...)) {
			t.Errorf("%s: %s has no comment: say what its signature can't", f.name, name)
		}
	}
	for dir, ok := range described {
		if !ok {
			t.Errorf("%s: no file begins with `// Package %s …`", dir, filepath.Base(dir))
		}
	}
}

func TestFileLength(t *testing.T) {
	t.Parallel()
	for _, f := range sourceFiles(t) {
		if lines := bytes.Count(f.text, []byte("\n")); lines > maxLines && !ast.IsGenerated(f.ast) {
			t.Errorf("%s has %d lines, over %d: it holds more than one thing", f.name, lines, maxLines)
		}
	}
}

type sourceFile struct {
	name string // relative to the project's folder
	text []byte
	ast  *ast.File
}

// sourceFiles parses every Go file of the project, whatever its build constraints.
func sourceFiles(t *testing.T) []sourceFile {
	t.Helper()
	var files []sourceFile
	fset := token.NewFileSet()
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && name != root || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(name) != ".go" {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		files = append(files, sourceFile{rel, text, parsed})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// describes says whether the file has the package's comment.
func describes(f *ast.File) bool {
	begin := "Package " + f.Name.Name + " "
	if f.Name.Name == "main" {
		begin = "Command " // as `go doc` shows programs
	}
	return f.Doc != nil && strings.HasPrefix(f.Doc.Text(), begin)
}

// interfaceMethods are those of the interfaces that the file declares.
func interfaceMethods(f *ast.File) []string {
	var names []string
	ast.Inspect(f, func(n ast.Node) bool {
		if i, ok := n.(*ast.InterfaceType); ok {
			for _, method := range i.Methods.List {
				for _, name := range method.Names {
					names = append(names, name.Name)
				}
			}
		}
		return true
	})
	return names
}

// undocumented lists a file's exported names that have no comment; methods need none when their name is well known.
func undocumented(f *ast.File, wellKnown []string) []string {
	var names []string
	for _, decl := range f.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && d.Doc == nil && !excused(d, wellKnown) {
				names = append(names, d.Name.Name)
			}
		case *ast.GenDecl:
			names = append(names, undocumentedSpecs(d)...)
		}
	}
	return names
}

// excused are methods of types that nobody outside can name, and those whose name says all.
func excused(d *ast.FuncDecl, wellKnown []string) bool {
	if d.Recv == nil {
		return false
	}
	receiver := d.Recv.List[0].Type
	if star, ok := receiver.(*ast.StarExpr); ok {
		receiver = star.X
	}
	if index, ok := receiver.(*ast.IndexExpr); ok {
		receiver = index.X
	}
	name, ok := receiver.(*ast.Ident)
	return ok && !name.IsExported() || slices.Contains(wellKnown, d.Name.Name)
}

// undocumentedSpecs takes a comment above a group of constants or variables for all of the group.
func undocumentedSpecs(d *ast.GenDecl) []string {
	var names []string
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			if s.Name.IsExported() && d.Doc == nil && s.Doc == nil {
				names = append(names, s.Name.Name)
			}
		case *ast.ValueSpec:
			for _, name := range s.Names {
				if name.IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
					names = append(names, name.Name)
				}
			}
		}
	}
	return names
}
