package main

import (
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// asServer in the environment makes the test binary a server of the model whose tokens
// are bytes.
const asServer = "SNAPBENCH_TEST_AS_SERVER"

// inherited in place of a port: who starts the server listens already, and leaves that to it as its file 3.
const inherited = "inherited"

func released(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "released"))
	return err == nil
}

// serve answers what writePrompts asks. Its first argument is how: good; bad, which
// knows no answer; patient, which answers from its
// fourth prompt on only when the file "released" is there; early, which ends before it answers; brittle, which ends with
// the first thing that it is asked to complete; mortal, which ends with its fourth prompt; all three only as long as the
// file "cured" is not there. The second
// is the port, or inherited; the third a folder.
func serve(args []string) {
	how, port, dir := args[0], args[1], args[2]
	if _, err := os.Stat(filepath.Join(dir, "cured")); err == nil && (how == "early" || how == "brittle" || how == "mortal") {
		how = "good"
	}
	if how == "early" {
		fmt.Println("CUDA out of memory")
		os.Exit(7)
	}
	worker := exec.Command("sleep", "1000")
	worker.Start()
	fmt.Println("workers", os.Getpid(), worker.Process.Pid)
	line := regexp.MustCompile(`Line (\d+)`)
	asked := 0
	http.HandleFunc("/v1/models", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"object": "list", "data": [{"id": "tiny", "object": "model", "owned_by": "the test"}]}`)
	})
	http.HandleFunc("/v1/completions", func(w http.ResponseWriter, r *http.Request) {
		if how == "brittle" {
			fmt.Println("Segmentation fault")
			os.Exit(11)
		}
		var q struct {
			Prompt json.RawMessage
			Stream bool
		}
		var ids []int
		var prompt []byte
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if json.Unmarshal(q.Prompt, &ids) != nil {
			prompt = q.Prompt
		}
		for _, id := range ids {
			prompt = append(prompt, byte(id))
		}
		text := "none"
		if m := line.FindSubmatch(prompt); m != nil {
			n, _ := strconv.ParseFloat(string(m[1]), 64)
			if asked++; asked > 3 && how == "mortal" {
				fmt.Println("Aborted (core dumped)")
				os.Exit(9)
			}
			for how == "patient" && asked > 3 && !released(dir) {
				time.Sleep(10 * time.Millisecond)
			}
			if how != "bad" {
				text = fmt.Sprint(math.Sqrt(n))
			}
		}
		usage := fmt.Sprintf(`"usage": {"prompt_tokens": %d, "completion_tokens": %d}`, len(prompt), len(text))
		if !q.Stream {
			fmt.Fprintf(w, `{"choices": [{"index": 0, "text": %q, "finish_reason": "stop"}], %s}`, text, usage)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		for _, c := range text {
			fmt.Fprintf(w, "data: {\"choices\": [{\"index\": 0, \"text\": %q}]}\n\n", string(c))
		}
		fmt.Fprintf(w, "data: {\"choices\": [{\"index\": 0, \"text\": \"\", \"finish_reason\": \"stop\"}]}\n\ndata: {\"choices\": [], %s}\n\ndata: [DONE]\n\n", usage)
	})
	if port == inherited {
		l, err := net.FileListener(os.NewFile(3, "listener"))
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(http.Serve(l, nil))
	} else {
		fmt.Println(http.ListenAndServe("127.0.0.1:"+port, nil))
	}
	os.Exit(1)
}
