package models

// shapeConfigs are shapes of families whose layers differ, or that have more than sizes, as
// config.json has them. Source: the config.json of Qwen/Qwen3-8B, Qwen/Qwen3-30B-A3B,
// openai/gpt-oss-20b and google/gemma-3-12b-it (its text_config, with the defaults that it leaves out); qwen3.5-9b has the
// sizes that transformers 5.24 gives qwen3_5_text by default, of which the published file was not read.
var shapeConfigs = map[string]string{
	"qwen3-8b": `{"model_type": "qwen3", "hidden_size": 4096, "num_hidden_layers": 36, "num_attention_heads": 32,
		"num_key_value_heads": 8, "head_dim": 128, "intermediate_size": 12288, "vocab_size": 151936,
		"max_position_embeddings": 40960, "rms_norm_eps": 1e-6, "rope_theta": 1000000, "hidden_act": "silu"}`,
	"qwen3-30b-a3b": `{"model_type": "qwen3_moe", "hidden_size": 2048, "num_hidden_layers": 48, "num_attention_heads": 32,
		"num_key_value_heads": 4, "head_dim": 128, "intermediate_size": 6144, "moe_intermediate_size": 768, "num_experts": 128,
		"num_experts_per_tok": 8, "norm_topk_prob": true, "vocab_size": 151936, "max_position_embeddings": 40960,
		"rms_norm_eps": 1e-6, "rope_theta": 1000000, "hidden_act": "silu"}`,
	"gpt-oss-20b": `{"model_type": "gpt_oss", "hidden_size": 2880, "num_hidden_layers": 24, "num_attention_heads": 64,
		"num_key_value_heads": 8, "head_dim": 64, "intermediate_size": 2880, "num_local_experts": 32, "num_experts_per_tok": 4,
		"attention_bias": true, "sliding_window": 128, "swiglu_limit": 7.0, "vocab_size": 201088,
		"max_position_embeddings": 131072, "rms_norm_eps": 1e-5, "rope_theta": 150000, "hidden_act": "silu",
		"rope_scaling": {"rope_type": "yarn", "factor": 32.0, "beta_fast": 32.0, "beta_slow": 1.0, "truncate": false,
			"original_max_position_embeddings": 4096}, "quantization_config": {"quant_method": "mxfp4"}}`,
	"qwen3.5-9b": `{"model_type": "qwen3_5_text", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 16,
		"num_key_value_heads": 4, "head_dim": 256, "intermediate_size": 12288, "vocab_size": 248320, "max_position_embeddings": 262144,
		"linear_num_key_heads": 16, "linear_num_value_heads": 32, "linear_key_head_dim": 128, "linear_value_head_dim": 128,
		"linear_conv_kernel_dim": 4, "full_attention_interval": 4, "rms_norm_eps": 1e-6, "rope_theta": 10000000, "hidden_act": "silu"}`,
	"gemma-3-12b": `{"model_type": "gemma3_text", "hidden_size": 3840, "num_hidden_layers": 48, "num_attention_heads": 16,
		"num_key_value_heads": 8, "head_dim": 256, "intermediate_size": 15360, "vocab_size": 262208, "sliding_window": 1024,
		"query_pre_attn_scalar": 256, "max_position_embeddings": 131072, "rms_norm_eps": 1e-6, "rope_theta": 1000000,
		"rope_local_base_freq": 10000, "rope_scaling": {"rope_type": "linear", "factor": 8.0}, "tie_word_embeddings": true}`,
}

// shapeStorages is how the experts of a published model are stored, where that is not bfloat16.
var shapeStorages = map[string]string{"gpt-oss-20b": "mxfp4"}
