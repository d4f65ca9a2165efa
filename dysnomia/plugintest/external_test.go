package plugintest_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/disnix-go/disnix/dysnomia/plugintest"
)

// module writes an executable that sources the shell library.
func module(t *testing.T, name, body string) string {
	t.Helper()
	library, err := filepath.Abs("../../share/dysnomia/util")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	script := "#!/usr/bin/env bash\nset -e\nsource '" + library + "'\ncomposeUtilityVariables $0 $2 $3\n" + body
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// linkModule is of discipline A, in the manner of the original's modules.
const linkModule = `
case "$1" in
    activate)
        ln -sfn $2/conf $targetDir/$componentName
        markComponentAsActive
        ;;
    deactivate)
        rm -f $targetDir/$componentName
        unmarkComponentAsActive
        ;;
esac
`

// databaseModule is of discipline B: the database is a directory with a file.
const databaseModule = `
database=$dataDir/$componentName
case "$1" in
    activate)
        mkdir -p $database
        markComponentAsActive
        ;;
    deactivate)
        markComponentAsGarbage
        ;;
    snapshot)
        tmpdir=$(mktemp -d)
        cp $database/table $tmpdir/dump
        hash=$(sha256sum $tmpdir/dump | cut -d ' ' -f 1)
        snapshotsPath=$(composeSnapshotsPath)
        if [ -d $snapshotsPath/$hash ]
        then
            rm -rf $tmpdir
        else
            mkdir -p $snapshotsPath
            mv $tmpdir $snapshotsPath/$hash
        fi
        createGenerationSymlink $hash
        ;;
    restore)
        lastSnapshot=$(determineLastSnapshot)
        if [ "$lastSnapshot" != "" ]
        then
            cp $lastSnapshot/dump $database/table
        fi
        ;;
    collect-garbage)
        if componentMarkedAsGarbage
        then
            rm -rf $database
            unmarkComponentAsGarbage
        fi
        ;;
esac
`

func TestShellModuleWithoutState(t *testing.T) {
	plugintest.Run(t, plugintest.Config{
		Type:   "link",
		Module: module(t, "link", linkModule),
		New: func(t *testing.T) plugintest.Component {
			return plugintest.NewComponent(t, "server", map[string]string{"targetDir": t.TempDir()}, map[string]string{"conf": ""})
		},
		Broken: func(t *testing.T) plugintest.Component {
			return plugintest.NewComponent(t, "server", map[string]string{"targetDir": "/nonexistent"}, nil)
		},
		Running: func(_ *testing.T, c plugintest.Component) bool {
			_, err := os.Readlink(filepath.Join(c.Properties["targetDir"], "component"))
			return err == nil
		},
	})
}

func TestShellModuleWithState(t *testing.T) {
	table := func(c plugintest.Component) string {
		return filepath.Join(c.Properties["dataDir"], "component", "table")
	}
	plugintest.Run(t, plugintest.Config{
		Type:   "database",
		Module: module(t, "database", databaseModule),
		New: func(t *testing.T) plugintest.Component {
			return plugintest.NewComponent(t, "my-database", map[string]string{"dataDir": t.TempDir()}, nil)
		},
		Broken: func(t *testing.T) plugintest.Component {
			return plugintest.NewComponent(t, "my-database", map[string]string{"dataDir": "/dev/null"}, nil)
		},
		Write: func(t *testing.T, c plugintest.Component, text string) {
			if err := os.WriteFile(table(c), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		},
		Read: func(_ *testing.T, c plugintest.Component) string {
			content, _ := os.ReadFile(table(c))
			return string(content)
		},
	})
}
