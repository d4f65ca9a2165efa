package dysnomia

import (
	"archive/tar"
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestWriterProcess is not a test but the process that others kill: it changes
// a state directory until its end.
func TestWriterProcess(t *testing.T) {
	dir := os.Getenv("DYSNOMIA_TEST_WRITER")
	if dir == "" {
		return
	}
	s := &State{Dir: dir}
	for i := 0; ; i++ {
		fmt.Println("step", i)
		store(t, s, "db", "k", fmt.Sprint(i))
		check(t, s.MarkActive("db", "k", fmt.Sprint("/p", i)))
		if i%3 == 2 {
			_, err := s.CleanSnapshots("", "", 2)
			check(t, err)
			check(t, s.MarkGarbage("db", "k"))
		}
	}
}

func TestRoughEdge_host14_killedProcess(t *testing.T) {
	s := newState(t)
	for round := range 12 {
		writer := exec.Command(os.Args[0], "-test.run=^TestWriterProcess$")
		writer.Env = append(os.Environ(), "DYSNOMIA_TEST_WRITER="+s.Dir)
		out, err := writer.StdoutPipe()
		check(t, err)
		check(t, writer.Start())
		lines := bufio.NewScanner(out)
		for steps := 0; steps < 2+round%4 && lines.Scan(); steps++ {
		}
		check(t, writer.Process.Signal(syscall.SIGKILL))
		_ = writer.Wait()

		if got := marked(t, s, "db", "k"); got == "both" {
			t.Fatal("host 14: the component is active and garbage")
		}
		history, err := s.QueryAll("", "")
		check(t, err)
		for i, g := range history {
			if err := s.Check(g); err != nil {
				t.Fatalf("host 14: generation %d after a kill: %v", g.Number, err)
			}
			if i > 0 && g.Number <= history[i-1].Number {
				t.Fatalf("host 14: generations %v", history)
			}
		}
	}
	store(t, s, "db", "k", "after all")
	_, err := s.CleanSnapshots("", "", 1)
	check(t, err)
	if got := contents(t, s, "k"); len(got) != 1 || got[0] != "after all" {
		t.Errorf("content: %v", got)
	}
	if left, _ := os.ReadDir(s.path(temporaryDir)); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// archiveOf returns an archive with one file of the size.
func archiveOf(t *testing.T, size int) io.Reader {
	t.Helper()
	var buffer bytes.Buffer
	w := tar.NewWriter(&buffer)
	check(t, w.WriteHeader(&tar.Header{Name: "state", Typeflag: tar.TypeReg, Size: int64(size), Mode: 0o644}))
	_, err := w.Write(bytes.Repeat([]byte("x"), size))
	check(t, err)
	check(t, w.Close())
	return &buffer
}

func TestFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=256k"); err != nil {
		t.Fatalf("this test mounts a file system: run it as root: %v", err)
	}
	t.Cleanup(func() { check(t, unix.Unmount(disk, unix.MNT_DETACH)) })
	s := &State{Dir: filepath.Join(disk, "state")}
	check(t, s.ImportArchive(t.Context(), "db", "k", "1", archiveOf(t, 1000)))
	check(t, s.MarkActive("db", "k", "/old"))

	err := s.ImportArchive(t.Context(), "db", "k", "2", archiveOf(t, 1<<20))
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("error: %v", err)
	}
	if got := snapshots(t, s, "", ""); len(got) != 1 || got[0] != "db/k/1" {
		t.Errorf("snapshots: %v", got)
	}
	if left, _ := os.ReadDir(s.path(temporaryDir)); len(left) != 0 {
		t.Errorf("left: %v", left)
	}

	filler, err := os.Create(filepath.Join(disk, "filler"))
	check(t, err)
	for err == nil {
		_, err = filler.Write(make([]byte, 4096))
	}
	check(t, filler.Close())
	if err := s.MarkActive("db", "k", "/new"); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), strconv.Quote("k")) {
		t.Errorf("error: %v", err)
	}
	markers, err := s.Activated("db")
	check(t, err)
	if len(markers) != 1 || markers[0].Path != "/old" {
		t.Errorf("markers: %+v", markers)
	}
	check(t, os.Remove(filler.Name()))
	check(t, s.ImportArchive(t.Context(), "db", "k", "2", archiveOf(t, 1000)))
	check(t, s.MarkActive("db", "k", "/new"))
}
