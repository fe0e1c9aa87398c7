package plots

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// findBrowser finds Chromium, or skips the test.
func findBrowser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no chromium here")
	return ""
}

// inBrowser opens a page in a headless browser and reads the JSON that the page writes
// into the element with the id "result".
// Flags are added to the browser's; one that begins with # is the page's place.
//
// The page has time of its own, which leaps from one timer to the next. What comes at the pace of the machine, as frames and
// what is unpacked beside, may come after many such leaps where others keep it busy: a page that did not come to its end is opened
// again with more of that time.
func inBrowser(t *testing.T, browser, page string, result any, flags ...string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
	var m [][]byte
	for budget := 60_000; m == nil && budget <= 64*60_000; budget *= 8 { // milliseconds
		m = regexp.MustCompile(`<pre id="result">(.*?)</pre>`).FindSubmatch(opened(t, browser, "file://"+path, budget, flags))
	}
	if m == nil {
		t.Fatal("the page's script did not come to its end")
	}
	if err := json.Unmarshal([]byte(html.UnescapeString(string(m[1]))), result); err != nil {
		t.Fatal(err)
	}
}

// opened is the page as it is when its time is over.
func opened(t *testing.T, browser, at string, budget int, flags []string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	args := []string{"--headless=new", "--no-sandbox", "--disable-gpu", "--user-data-dir=" + profile(t), fmt.Sprint("--virtual-time-budget=", budget), "--dump-dom"}
	for _, f := range flags {
		if strings.HasPrefix(f, "#") {
			at += f
		} else {
			args = append(args, f)
		}
	}
	dom, err := exec.CommandContext(ctx, browser, append(args, at)...).Output()
	if err != nil {
		t.Fatalf("%s: %v", browser, err)
	}
	return dom
}

// profile is a folder for what a browser keeps. Processes that served it may write there for a moment after it has ended: the
// folder goes when they are done.
func profile(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "profile")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for end := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
			if err := os.RemoveAll(dir); err == nil {
				return
			} else if time.Now().After(end) {
				t.Error(err)
				return
			}
		}
	})
	return dir
}
