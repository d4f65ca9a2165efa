package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/test/programtest"
)

// graph is what disnix-visualize prints for a provider of a container and a
// service in it.
const graph = `digraph G {
subgraph cluster_0 {
style=filled;
label="node1";
fillcolor=grey
node [style=filled,fillcolor=white,color=black];
"key1:node1:process" [ label = "provider &#8594;\nbox & <more>", peripheries=2 ];
"key2:node1:box" [ label = "orders" ];
}
"key2:node1:box" -> "key1:node1:process"
"key1:node1:process" -> "key2:node1:box" [style=dashed]
}
`

// programs are this program and disnix, installed beside each other.
var programs string

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "disnix-draw-test.")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	programs = dir
	for _, name := range []string{"disnix", "disnix-draw"} {
		if err := programtest.Build(name, filepath.Join(dir, name)); err != nil {
			panic(err)
		}
	}
	return m.Run()
}

// start runs one of the programs with a temporary directory of its own, which
// has to stay empty.
func start(t *testing.T, input string, name string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	temporary := t.TempDir()
	cmd := exec.Command(filepath.Join(programs, name), args...)
	cmd.Env = append(os.Environ(), "TMPDIR="+temporary)
	cmd.Stdin = strings.NewReader(input)
	var out, diagnostics bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &diagnostics
	err = cmd.Run()
	if left, _ := os.ReadDir(temporary); len(left) != 0 {
		t.Errorf("left in TMPDIR: %v", left)
	}
	return out.String(), diagnostics.String(), err
}

// requireSVG checks that a picture is well-formed and shows a text.
func requireSVG(t *testing.T, picture, text string) {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(picture))
	root := ""
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("the picture is not XML: %v", err)
		}
		if element, ok := token.(xml.StartElement); ok && root == "" {
			root = element.Name.Local
		}
	}
	if root != "svg" || !strings.Contains(picture, ">"+text+"</text>") {
		t.Errorf("no picture of %q:\n%s", text, picture)
	}
}

func TestSVG(t *testing.T) {
	picture, stderr, err := start(t, graph, "disnix-draw", "svg")
	if err != nil || stderr != "" {
		t.Fatalf("%v: %s", err, stderr)
	}
	requireSVG(t, picture, "orders")
	if got := strings.Count(picture, "stroke-dasharray"); got != 1 {
		t.Errorf("%d dashed lines, want 1", got)
	}
}

// TestPNG checks that there are lines in the picture, which the library leaves
// out by itself: dark points on the way between the two services.
func TestPNG(t *testing.T) {
	picture, stderr, err := start(t, "digraph { a [label=\"\"]; b [label=\"\"]; a -> b [minlen=4, arrowhead=none] }", "disnix-draw", "png")
	if err != nil || stderr != "" {
		t.Fatalf("%v: %s", err, stderr)
	}
	image, err := png.Decode(strings.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	bounds := image.Bounds()
	for _, part := range []int{8, 2} { // a line through the first shape, and one between both
		y, dark := bounds.Min.Y+bounds.Dy()/part, 0
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			if r, _, _, alpha := image.At(x, y).RGBA(); alpha > 0x8000 && r < 0x8000 {
				dark++
			}
		}
		if dark == 0 || dark > bounds.Dx()/2 {
			t.Errorf("%d of %d points are dark at height 1/%d", dark, bounds.Dx(), part)
		}
	}
}

func TestProblems(t *testing.T) {
	for _, test := range []struct {
		name, input string
		args        []string
		want        string
	}{
		{"no graph", "", []string{"svg"}, "disnix-draw: draw the graph: there is none"},
		{"half a graph", "digraph {", []string{"png"}, "disnix-draw: draw the graph: syntax error"},
		{"garbage", "\xff\x00<", []string{"svg"}, "disnix-draw: draw the graph: "},
		{"unknown format", graph, []string{"gif"}, `unknown format "gif": it must be svg or png`},
		{"no format", graph, nil, "usage: disnix-draw svg|png"},
	} {
		t.Run(test.name, func(t *testing.T) {
			stdout, stderr, err := start(t, test.input, "disnix-draw", test.args...)
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 1 || stdout != "" || !strings.Contains(stderr, test.want) {
				t.Errorf("%v, printed %q and %q, want %q", err, stdout, stderr, test.want)
			}
		})
	}
}

// TestVisualize draws a manifest through disnix, also by the name that is a
// link to it.
func TestVisualize(t *testing.T) {
	manifest := filepath.Join(t.TempDir(), "manifest.xml")
	const document = `<manifest version="2"><infrastructure><target name="node1">
<properties><property name="hostname" type="string">n</property></properties>
<clientInterface>c</clientInterface><targetProperty>hostname</targetProperty></target></infrastructure>
<services><service name="key1"><name>orders</name><pkg>/nix/store/x-orders</pkg><type>process</type></service></services>
<serviceMappings><mapping><service>key1</service><target>node1</target><container>process</container></mapping></serviceMappings></manifest>`
	if err := os.WriteFile(manifest, []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	picture, stderr, err := start(t, "", "disnix", "visualize", "--format", "svg", manifest)
	if err != nil {
		t.Fatalf("%v: %s", err, stderr)
	}
	requireSVG(t, picture, "orders")
	if err := os.Symlink("disnix", filepath.Join(programs, "disnix-visualize")); err != nil {
		t.Fatal(err)
	}
	picture, stderr, err = start(t, "", "disnix-visualize", "-f", "png", "--no-containers", manifest)
	if err != nil || !strings.HasPrefix(picture, "\x89PNG") {
		t.Errorf("%v: %s", err, stderr)
	}
}

// TestDisnixIsNotSlowedDown checks that the library is part of this program
// only: its initialisation takes longer than most commands.
func TestDisnixIsNotSlowedDown(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "github.com/disnix-go/disnix/cmd/disnix").Output()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(out), "graphviz") {
		t.Error("disnix is linked with go-graphviz")
	}
}
