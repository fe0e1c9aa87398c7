package plots

import (
	"context"
	"encoding/json"
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
func inBrowser(t *testing.T, browser, page string, result any, flags ...string) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "page.html")
	if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	at := "file://" + path
	args := []string{"--headless=new", "--no-sandbox", "--disable-gpu", "--user-data-dir=" + filepath.Join(dir, "profile"), "--virtual-time-budget=10000", "--dump-dom"}
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
	m := regexp.MustCompile(`<pre id="result">(.*?)</pre>`).FindSubmatch(dom)
	if m == nil {
		t.Fatal("the page's script did not come to its end")
	}
	if err := json.Unmarshal([]byte(html.UnescapeString(string(m[1]))), result); err != nil {
		t.Fatal(err)
	}
}
