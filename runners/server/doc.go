// Package server is any server that speaks OpenAI's HTTP interface as a
// [runners.Runner]: vLLM, SGLang, llama.cpp, TensorRT-LLM and others. Prompts go to
// /completions as token ids where the server takes them, else as text; messages go to
// /chat/completions, for the server's own chat template. Answers are streamed, so
// that the time to the first token and between tokens is seen.
//
// It is written over net/http: OpenAI's own Go client brings the client libraries of
// two cloud providers into go.mod, hides how often it asked again, and replaces the
// bytes of a character that a stream cuts in two.
package server
