package server

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"regexp"
	"strings"

	"github.com/snapbench/snapbench/inputs"
)

// KeyVariable is the environment variable that may hold a server's key.
const KeyVariable = "SNAPBENCH_API_KEY"

// Key is what a server knows its user by. It prints as a mark, in whatever way it is
// printed, and goes to the server's own host alone.
type Key struct{ secret string }

// mark stands for a key wherever text is shown.
const mark = "[key]"

// ReadKey reads a key from a file that holds nothing else, or, where path is empty,
// from [KeyVariable]. Without either there is none. Errors do not quote what was read.
func ReadKey(path string) (Key, error) {
	from, text := KeyVariable, os.Getenv(KeyVariable)
	if path != "" {
		f, err := inputs.Open(path)
		if err != nil {
			return Key{}, fmt.Errorf("the server's key: %w", err)
		}
		defer f.Close()
		data, err := io.ReadAll(io.LimitReader(f, mostKey+2))
		if err != nil {
			return Key{}, fmt.Errorf("the server's key: %w", err)
		}
		from, text = path, string(data)
		if strings.TrimSpace(text) == "" {
			return Key{}, fmt.Errorf("the server's key: %s is empty", path)
		}
	}
	text = strings.TrimSpace(text)
	if len(text) > mostKey || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return Key{}, fmt.Errorf("the server's key: %s does not hold one: want a single word of at most %d printable ASCII characters", from, mostKey)
	}
	return Key{text}, nil
}

const mostKey = 4096

func (k Key) String() string { return mark }

// GoString prints the mark.
func (k Key) GoString() string { return mark }

// Format prints the mark, by whatever verb.
func (k Key) Format(f fmt.State, _ rune) { io.WriteString(f, mark) }

// LogValue is the mark.
func (k Key) LogValue() slog.Value { return slog.StringValue(mark) }

// MarshalText is the mark.
func (k Key) MarshalText() ([]byte, error) { return []byte(mark), nil }

// hide replaces the key in what a server said.
func (k Key) hide(text string) string {
	if k.secret == "" {
		return text
	}
	return strings.ReplaceAll(text, k.secret, mark)
}

// In says whether the key stands in a text by itself, not as a part of a longer word or
// path.
func (k Key) In(text string) bool {
	for k.secret != "" {
		before, after, found := strings.Cut(text, k.secret)
		if !found {
			return false
		}
		if !endsInName.MatchString(before) && !beginsWithName.MatchString(after) {
			return true
		}
		text = text[len(before)+1:]
	}
	return false
}

var (
	endsInName     = regexp.MustCompile(`[A-Za-z0-9_./-]$`)
	beginsWithName = regexp.MustCompile(`^[A-Za-z0-9_./-]`)
)

// allowed reports a key that would cross a network in the clear.
func (k Key) allowed(to *url.URL, plain bool) error {
	if k.secret == "" || to.Scheme == "https" || plain || thisMachine(to.Hostname()) {
		return nil
	}
	return errors.New("the key would cross the network unencrypted: ask by https, or allow it by --plain-http-key")
}

func thisMachine(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
