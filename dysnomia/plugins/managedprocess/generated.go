package managedprocess

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/tool"
	"github.com/disnix-go/disnix/dysnomia/processmanagement"
)

// generated is what was generated for a component. Its directory below the
// state directory is called after the path of the component; it has the
// record, which is written last, and the generated component under its name.
type generated struct {
	dir    string
	record record
}

// record is what must be known to go on with a generated component.
type record struct {
	// Component is the path of the component with the description.
	Component string `json:"component"`
	Manager   string `json:"manager"`
	// Name is the name of the generated component.
	Name string `json:"name"`
	// Settings are those of the translation.
	Settings processmanagement.Settings `json:"settings"`
	// Digest is that of the description and of what was generated.
	Digest string `json:"digest"`
}

// request returns the request for the plugin of the process manager: the
// generated component in the same container. What that plugin marks is the
// component with the description, whatever the generated one is called.
func (g *generated) request(r *dysnomia.Request) *dysnomia.Request {
	inner := *r
	inner.Type = processmanagement.Manager(g.record.Manager).Type()
	inner.Component, inner.ComponentName = g.component(), g.record.Name
	inner.State = r.State.MarkedAs(r.ComponentName, r.Component)
	return &inner
}

const recordFile = "translation.json"

// place returns the directory for a component.
func place(r *dysnomia.Request) string {
	sum := sha256.Sum256([]byte(r.Component))
	return filepath.Join(r.State.Dir, ".managed-process", r.Container, r.ComponentName+"-"+hex.EncodeToString(sum[:8]))
}

func (g *generated) component() string { return filepath.Join(g.dir, g.record.Name) }

// find returns what was generated for the component and is complete, or nil.
func find(r *dysnomia.Request) (*generated, error) {
	g := &generated{dir: place(r)}
	content, err := os.ReadFile(filepath.Join(g.dir, recordFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find what was generated: %w", err)
	}
	// A record that the machine lost at a crash is no better than none.
	if json.Unmarshal(content, &g.record) != nil || g.record.Component != r.Component || !filepath.IsLocal(g.record.Name) {
		return nil, nil
	}
	return g, nil
}

// findOrGenerate returns what was generated for the component. If nothing was,
// or it is damaged, it is generated now: in the latter case for the process
// manager of that time. If that is impossible, what is left must do.
func findOrGenerate(ctx context.Context, r *dysnomia.Request) (*generated, error) {
	g, err := find(r)
	if err != nil || g != nil && g.intact() {
		return g, err
	}
	if g == nil {
		w, err := read(r)
		if err != nil {
			return nil, err
		}
		return generate(ctx, r, w)
	}
	service, err := readService(r)
	if err != nil {
		fmt.Fprintf(r.Stderr, "What was generated in %s is damaged and cannot be generated again: %v\n", g.dir, err)
		return g, nil
	}
	return generate(ctx, r, wanted{service, g.record.Settings})
}

// suits reports whether it is what is wanted, apart from a newer way of
// translating, for which no process is restarted.
func (g *generated) suits(w wanted) bool {
	w.settings.Dir = g.dir
	return g.record.Settings == w.settings
}

// intact reports whether all files are as they were generated.
func (g *generated) intact() bool {
	digest, err := digest(g.component())
	return err == nil && digest == g.record.Digest
}

// generate translates the description and writes the result.
func generate(ctx context.Context, r *dysnomia.Request, w wanted) (*generated, error) {
	g := &generated{dir: place(r)}
	w.settings.Dir = g.dir
	component, err := processmanagement.Translate(w.service, w.settings)
	if err != nil {
		return nil, fmt.Errorf("translate the process of component %s for %s: %w", r.Component, w.settings.Manager, err)
	}
	for _, warning := range component.Warnings {
		fmt.Fprintf(r.Stderr, "warning: %s\n", warning)
	}
	g.record = record{Component: r.Component, Manager: string(w.settings.Manager), Name: component.Name, Settings: w.settings}
	if err := g.write(ctx, r, component); err != nil {
		return nil, errors.Join(fmt.Errorf("write what is generated for %s: %w", w.settings.Manager, err), g.remove())
	}
	return g, nil
}

// write writes all files, and the record when they are complete. What is lost
// when the machine loses power can be generated again.
func (g *generated) write(ctx context.Context, r *dysnomia.Request, c *processmanagement.Component) error {
	if err := g.remove(); err != nil {
		return err
	}
	for path, file := range c.Files {
		if err := writeFile(filepath.Join(g.component(), path), file); err != nil {
			return err
		}
	}
	if c.PostInstall != "" {
		if err := g.postInstall(ctx, r, c.PostInstall); err != nil {
			return err
		}
	}
	var err error
	if g.record.Digest, err = digest(g.component()); err != nil {
		return err
	}
	content, err := json.Marshal(g.record)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(g.dir, recordFile), append(content, '\n'), 0o644)
}

func writeFile(path string, file processmanagement.File) error {
	if file.Directory {
		return os.MkdirAll(path, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if file.Link != "" {
		return os.Symlink(file.Link, path)
	}
	if !file.Executable {
		return os.WriteFile(path, file.Content, 0o644)
	}
	// A program that another activity starts has all files open for a moment,
	// until it is executed, and nothing can be executed that is open for
	// writing: so none is started now.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(path, file.Content, 0o755)
}

// postInstall runs the code that completes the component, with its path in the
// variable out, as a build of Nix would.
func (g *generated) postInstall(ctx context.Context, r *dysnomia.Request, code string) error {
	builder := *r
	builder.Environment = append(append([]string{}, r.Environment...), "out="+g.component())
	if _, err := tool.Run(ctx, &builder, "bash", "-e", "-c", code); err != nil {
		return fmt.Errorf("run postInstall: %w", err)
	}
	return nil
}

func (g *generated) remove() error {
	if err := os.RemoveAll(g.dir); err != nil {
		return fmt.Errorf("remove what was generated: %w", err)
	}
	return nil
}

// digest identifies the files of a directory: their names, modes and content.
func digest(dir string) (string, error) {
	sum := sha256.New()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		var content []byte
		switch {
		case info.Mode().IsRegular():
			content, err = os.ReadFile(path)
		case info.Mode().Type() == fs.ModeSymlink:
			var target string
			target, err = os.Readlink(path)
			content = []byte(target)
		}
		fmt.Fprintf(sum, "%q %v %d\n", path, info.Mode(), len(content))
		sum.Write(content)
		return err
	})
	return hex.EncodeToString(sum.Sum(nil)), err
}
