// Our layers against PyTorch's: the same state dict, keys and printed form, and from the same
// inputs the same outputs and gradients. The fixtures and the other direction:
// tests/oracle/make_nn_fixtures.py.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>

#include "gradus/kernels/create.h"
#include "gradus/nn/nn.h"
#include "gradus/tensor/safetensors.h"

namespace gradus::nn {
namespace {

using Tensors = std::vector<Tensor>;

/// One layer, and how it runs on the fixture's inputs.
struct Layer {
  std::shared_ptr<Module> module;
  std::function<Tensors(const Tensors&)> run;
};

template <class M>
Layer plain(M module) {
  auto m = std::make_shared<M>(std::move(module));
  return {m, [m](const Tensors& in) { return Tensors{(*m)(in[0])}; }};
}

using Layers = std::map<std::string, std::function<Layer()>>;

void add_convolutions(Layers& all) {
  all["conv1d"] = [] { return plain(Conv1d(4, 6, 3, {.stride = 2, .padding = 1, .groups = 2})); };
  all["conv2d"] = [] { return plain(Conv2d(3, 4, 3, {.padding = 1})); };
  all["conv2d_options"] = [] {
    return plain(Conv2d(
        4, 6, {3, 2},
        {.stride = {2, 1}, .padding = {2, 1}, .dilation = {1, 2}, .groups = 2, .bias = false}));
  };
  all["nested"] = [] {
    return plain(Sequential{Conv2d(1, 2, 3), BatchNorm2d(2), ReLU(), Flatten(),
                            Sequential{Linear(8, 4), GELU("tanh")}});
  };
}

void add_padded_convolutions(Layers& all) {
  all["conv1d_same"] = [] { return plain(Conv1d(2, 3, 4, {.padding = "same", .dilation = 3})); };
  all["conv2d_same"] = [] { return plain(Conv2d(2, 4, {2, 3}, {.padding = "same", .groups = 2})); };
  all["conv3d_same"] = [] { return plain(Conv3d(1, 2, {2, 3, 4}, {.padding = "same"})); };
  all["conv1d_circular"] = [] {
    return plain(Conv1d(2, 3, 3, {.stride = 2, .padding = 2, .padding_mode = "circular"}));
  };
  all["conv2d_reflect"] = [] {
    return plain(
        Conv2d(2, 3, {3, 2}, {.padding = {2, 1}, .bias = false, .padding_mode = "reflect"}));
  };
  all["conv2d_replicate_same"] = [] {
    return plain(Conv2d(2, 3, {4, 3}, {.padding = "same", .padding_mode = "replicate"}));
  };
  all["conv3d_replicate"] = [] {
    return plain(Conv3d(1, 2, 2, {.padding = {1, 0, 2}, .padding_mode = "replicate"}));
  };
}

void add_spectral_norms(Layers& all) {
  using utils::spectral_norm;
  all["spectral_norm"] = [] { return plain(spectral_norm(Linear(5, 3))); };
  all["spectral_norm_conv2d"] = [] {
    return plain(spectral_norm(Conv2d(2, 4, 3, {.padding = 1}), "weight", 3));
  };
  all["spectral_norm_transpose"] = [] {
    return plain(spectral_norm(ConvTranspose2d(2, 3, 2, {.bias = false})));
  };
  all["spectral_norm_embedding"] = [] {
    return plain(spectral_norm(Embedding(6, 3), "weight", 1, 1e-12, 1));
  };
  all["spectral_norm_evaluation"] = [] { return plain(spectral_norm(Conv1d(2, 3, 2))); };
}

void add_pooling(Layers& all) {
  all["max_pool2d"] = [] { return plain(MaxPool2d(3, 2, 1, 1, true)); };
  all["max_pool1d"] = [] { return plain(MaxPool1d(2)); };
  all["avg_pool2d"] = [] { return plain(AvgPool2d({3, 2}, 0, 1, false, false)); };
  all["avg_pool1d"] = [] { return plain(AvgPool1d(3, 2, 1)); };
  all["adaptive_avg_pool2d"] = [] { return plain(AdaptiveAvgPool2d({3, 2})); };
  all["adaptive_avg_pool1d"] = [] { return plain(AdaptiveAvgPool1d(3)); };
  all["adaptive_max_pool2d"] = [] { return plain(AdaptiveMaxPool2d(2)); };
}

template <class M>
Layer recurrent(M module) {
  auto m = std::make_shared<M>(std::move(module));
  return {m, [m](const Tensors& in) {
            if constexpr (std::is_same_v<M, LSTM>) {
              const LSTMResult r = m->forward(in[0], {}, {});
              return Tensors{r.output, r.h, r.c};
            } else {
              const GRUResult r = m->forward(in[0], {});
              return Tensors{r.output, r.h};
            }
          }};
}

void add_recurrent(Layers& all) {
  RecurrentOptions two;
  two.num_layers = 2;
  two.bidirectional = two.batch_first = true;
  all["lstm"] = [] { return recurrent(LSTM(4, 3)); };
  all["lstm_two"] = [=] { return recurrent(LSTM(4, 3, two)); };
  all["gru"] = [] { return recurrent(GRU(4, 3)); };
  two.bias = false;
  all["gru_two"] = [=] { return recurrent(GRU(4, 3, two)); };
}

void add_norms(Layers& all) {
  all["batch_norm1d"] = [] { return plain(BatchNorm1d(4)); };
  all["batch_norm1d_sequence"] = [] { return plain(BatchNorm1d(4, {.affine = false})); };
  all["batch_norm2d"] = [] { return plain(BatchNorm2d(3, {.eps = 1e-3, .momentum = 0.3})); };
  all["batch_norm2d_evaluation"] = [] { return plain(BatchNorm2d(3)); };
  all["batch_norm2d_cumulative"] = [] { return plain(BatchNorm2d(3, {.momentum = {}})); };
  all["batch_norm2d_untracked"] = [] {
    return plain(BatchNorm2d(3, {.track_running_stats = false}));
  };
  all["layer_norm"] = [] { return plain(LayerNorm(6)); };
  all["layer_norm_plain"] = [] { return plain(LayerNorm({4, 6}, {.elementwise_affine = false})); };
  all["layer_norm_no_bias"] = [] { return plain(LayerNorm({4, 6}, {.eps = 1e-3, .bias = false})); };
  all["rms_norm"] = [] { return plain(RMSNorm(6)); };
  all["rms_norm_eps"] = [] { return plain(RMSNorm({4, 6}, {.eps = 1e-2})); };
  all["instance_norm2d"] = [] { return plain(InstanceNorm2d(3, {.affine = true})); };
  all["group_norm"] = [] { return plain(GroupNorm(2, 6)); };
}

void add_more_images(Layers& all) {
  all["conv3d"] = [] {
    return plain(
        Conv3d(2, 4, {2, 3, 1},
               {.stride = {1, 2, 1}, .padding = {1, 1, 0}, .dilation = {2, 1, 1}, .groups = 2}));
  };
  all["conv_transpose1d"] = [] {
    return plain(
        ConvTranspose1d(4, 6, 3, {.stride = 2, .padding = 1, .output_padding = 1, .groups = 2}));
  };
  all["conv_transpose2d"] = [] {
    return plain(ConvTranspose2d(
        3, 4, {3, 2},
        {.stride = {2, 1}, .padding = {1, 0}, .output_padding = {1, 0}, .dilation = {1, 2}}));
  };
  all["conv_transpose2d_no_bias"] = [] { return plain(ConvTranspose2d(2, 3, 2, {.bias = false})); };
  all["instance_norm2d_running"] = [] {
    return plain(InstanceNorm2d(3, {.momentum = 0.3, .track_running_stats = true}));
  };
  all["instance_norm2d_evaluation"] = [] {
    return plain(InstanceNorm2d(3, {.affine = true, .track_running_stats = true}));
  };
  all["upsample"] = [] { return plain(Upsample({}, 2.0)); };
  all["upsample_bilinear"] = [] { return plain(Upsample(Pair(5, 4), {}, "bilinear")); };
}

void add_embeddings(Layers& all) {
  all["embedding"] = [] { return plain(Embedding(7, 4)); };
  all["embedding_padding"] = [] { return plain(Embedding(7, 4, {.padding_idx = 2})); };
}

/// Attention of the inputs, with what the case tells the call.
Layer attending(MultiheadAttention module, std::function<AttentionOptions()> call) {
  auto m = std::make_shared<MultiheadAttention>(std::move(module));
  return {m, [m, call](const Tensors& in) {
            const Tensor &q = in[0], &k = in.size() == 3 ? in[1] : q,
                         &v = in.size() == 3 ? in[2] : q;
            const AttentionResult r = m->forward(q, k, v, call());
            return Tensors{r.output, r.weights};
          }};
}

Tensor causal(std::int64_t n) {
  Tensor mask = zeros({n, n});
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = i + 1; j < n; ++j) mask.data<float>()[i * n + j] = -INFINITY;
  }
  return mask;
}

void add_attention(Layers& all) {
  all["attention"] = [] {
    return attending(MultiheadAttention(8, 2), [] { return AttentionOptions(); });
  };
  all["attention_single"] = all["attention"];
  all["attention_mask"] = [] {
    return attending(MultiheadAttention(8, 4, {.bias = false, .batch_first = true}), [] {
      AttentionOptions call;
      call.attn_mask = causal(5);
      call.average_attn_weights = false;
      return call;
    });
  };
  all["attention_padding"] = [] {
    return attending(MultiheadAttention(8, 2, {.kdim = 6, .vdim = 4, .batch_first = true}), [] {
      AttentionOptions call;
      call.key_padding_mask = zeros({2, 5}, {Dtype::boolean});
      for (int i : {3, 4, 8, 9}) call.key_padding_mask.data<bool>()[i] = true;
      return call;
    });
  };
  const TransformerEncoderLayerOptions encoder{.dim_feedforward = 12, .dropout = 0};
  all["encoder_layer"] = [=] { return plain(TransformerEncoderLayer(8, 2, encoder)); };
  all["encoder_layer_first"] = [=] {
    auto options = encoder;
    options.activation = "gelu";
    options.norm_first = options.batch_first = true;
    auto m = std::make_shared<TransformerEncoderLayer>(8, 2, options);
    return Layer{m, [m](const Tensors& in) { return Tensors{(*m)(in[0], causal(5))}; }};
  };
}

Layers layers() {
  Layers all;
  all["linear"] = [] { return plain(Linear(5, 3)); };
  all["linear_no_bias"] = [] { return plain(Linear(5, 3, false)); };
  all["prelu"] = [] { return plain(PReLU(3)); };
  add_convolutions(all);
  add_padded_convolutions(all);
  add_spectral_norms(all);
  add_pooling(all);
  add_attention(all);
  add_norms(all);
  add_more_images(all);
  add_embeddings(all);
  add_recurrent(all);
  return all;
}

struct Fixtures {
  TensorMap tensors;
  nlohmann::json cases;
  /// "in.0", "state.weight" ... of one case.
  Tensor at(const std::string& name, const std::string& key) const {
    const auto found = tensors.find(name + "/" + key);
    return found == tensors.end() ? Tensor() : found->second;
  }
};
const Fixtures& fixtures() {
  static const Fixtures all = [] {
    const std::filesystem::path path = GRADUS_SOURCE_DIR "/tests/oracle/nn.safetensors";
    return Fixtures{load_safetensors(path),
                    nlohmann::json::parse(load_safetensors_metadata(path).at("cases"))};
  }();
  return all;
}

void expect_near(const Tensor& got, const Tensor& want, double tolerance, const std::string& what) {
  ASSERT_TRUE(got.defined()) << what;
  ASSERT_EQ(got.shape(), want.shape()) << what;
  const auto a = got.detach().to_vector<double>(), b = want.to_vector<double>();
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] == b[i]) continue;
    ASSERT_LE(std::abs(a[i] - b[i]), tolerance * std::max(1.0, std::abs(b[i]))) << what << " " << i;
  }
}

StateDict state_of(const std::string& name) {
  StateDict dict;
  for (const auto& key : fixtures().cases[name]["keys"])
    dict.insert(key, fixtures().at(name, "state." + key.get<std::string>()));
  return dict;
}

void compare(const std::string& name, const Layer& layer, Dtype dtype, double tolerance) {
  const Fixtures& f = fixtures();
  layer.module->to(dtype);
  load_state_dict(*layer.module, state_of(name));
  layer.module->train(!name.ends_with("evaluation") && !name.ends_with("untracked"));
  Tensors in;
  for (int i = 0; f.at(name, "in." + std::to_string(i)).defined(); ++i) {
    Tensor x = f.at(name, "in." + std::to_string(i)).clone();
    if (x.is_floating()) x = x.to(dtype).set_requires_grad(true);
    in.push_back(x);
  }
  const Tensors out = layer.run(in);
  for (std::size_t i = 0; i < out.size(); ++i)
    expect_near(out[i], f.at(name, "out." + std::to_string(i)), tolerance, "output");
  out[0].backward(f.at(name, "dy").to(dtype));
  for (std::size_t i = 0; i < in.size(); ++i) {
    const Tensor dx = f.at(name, "dx." + std::to_string(i));
    if (dx) expect_near(in[i].grad(), dx, tolerance, "gradient of input " + std::to_string(i));
  }
  for (const auto& [key, p] : layer.module->named_parameters())
    expect_near(p.grad(), f.at(name, "grad." + key), tolerance, "gradient of " + key);
  for (const auto& [key, b] : layer.module->named_buffers())
    expect_near(b, f.at(name, "after." + key), tolerance, key);
}

TEST(Fixtures, LayersComputeWhatPyTorchComputes) {
  for (const auto& [name, make] : layers()) {
    SCOPED_TRACE(name);
    compare(name, make(), Dtype::f64, 1e-10);
    compare(name, make(), Dtype::f32, 1e-5);
  }
}

TEST(Fixtures, KeysAndPrintedFormArePyTorchs) {
  for (const auto& [name, make] : layers()) {
    SCOPED_TRACE(name);
    const Layer layer = make();
    std::vector<std::string> keys;
    for (const auto& [key, t] : state_dict(*layer.module)) keys.push_back(key);
    EXPECT_EQ(nlohmann::json(keys), fixtures().cases[name]["keys"]);
    EXPECT_EQ(to_string(*layer.module), fixtures().cases[name]["repr"].get<std::string>());
  }
}

/// The file is removed, unless GRADUS_CHECK_FILE says where it is wanted for --check.
TEST(Fixtures, SavedStateDictsHoldTheSameBits) {
  TensorMap saved;
  for (const auto& [name, make] : layers()) {
    const Layer layer = make();
    layer.module->to(Dtype::f64);
    load_state_dict(*layer.module, state_of(name));
    for (const auto& [key, t] : state_dict(*layer.module)) saved[name + "/" + key] = t;
  }
  const char* wanted = std::getenv("GRADUS_CHECK_FILE");
  const std::filesystem::path path =
      wanted != nullptr ? wanted : ::testing::TempDir() + "gradus_fixtures.safetensors";
  save_safetensors(path, saved);
  const TensorMap back = load_safetensors(path);
  if (wanted == nullptr) std::filesystem::remove(path);
  ASSERT_EQ(back.size(), saved.size());
  for (const auto& [key, t] : back) {
    const Tensor want =
        fixtures().at(key.substr(0, key.find('/')), "state." + key.substr(key.find('/') + 1));
    ASSERT_EQ(t.dtype(), want.dtype()) << key;
    const auto bytes = static_cast<std::size_t>(t.numel()) * size_of(t.dtype());
    EXPECT_EQ(std::memcmp(t.data(), want.data(), bytes), 0) << key;
  }
}

}  // namespace
}  // namespace gradus::nn
