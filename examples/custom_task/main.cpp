// A task of one's own: a network that takes noise off images. What is written here is the task, one
// metric and one hook; data, optimizer, checkpoints, resume, logs and the command line are Gradus'.
#include <cmath>

#include "gradus/gradus.h"
#include "gradus/trainer/config/key.h"

using namespace gradus;
using namespace gradus::trainer;

/// As many numbers in as out, through a narrow middle.
struct Net : nn::Module {
  nn::Linear in, middle, out;
  Net(std::int64_t size, std::int64_t width)
      : in(size, 4 * width), middle(4 * width, width), out(width, size) {}
  Tensor forward(const Tensor& x) override {
    return out(relu(middle(relu(in(x.flatten(1)))))).reshape(x.shape());
  }
  void visit(nn::Visitor& v) override {
    v("in", in);
    v("middle", middle);
    v("out", out);
  }
};

class Denoise final : public Task {
 public:
  Denoise(std::int64_t size, std::int64_t width, double noise) : net_(size, width), noise_(noise) {}
  nn::Module& module() override { return net_; }

  std::optional<StepResult> step(const Batch& batch, const State&) override {
    return loss(batch, strength_);
  }
  StepResult evaluate(const Batch& batch, std::string_view) override { return loss(batch, noise_); }
  Tensor predict(const Batch& batch) override { return net_(batch["x"]); }

  /// A metric that is no mean of numbers a sample: it follows from one, at the end of a data set.
  void summarize(std::string_view dataset, Values& means) const override {
    const std::string group(dataset);
    if (const double* mse = find(means, group + "/loss"))
      means.emplace_back(group + "/psnr", -10 * std::log10(*mse));
  }

  /// The noise grows to its full strength over the first five epochs, and stands in every log row.
  std::vector<std::shared_ptr<Hook>> build_hooks() override {
    return {make_hook("grow", HookPhase::before_forward,
                      [this](HookContext& c) {
                        strength_ = noise_ * std::min(1.0, (1.0 + double(c.state.epoch)) / 5);
                      }),
            make_hook("say", HookPhase::log,
                      [this](HookContext& c) { c.values->emplace_back("noise", strength_); })};
  }

 private:
  /// One value a sample, so that no metric depends on how a batch was split. randn_like draws by
  /// (seed, step): a resumed run sees the noise it would have seen.
  StepResult loss(const Batch& batch, double strength) {
    const Tensor& x = batch["x"];
    const Tensor error = square(net_(x + randn(x.shape(), x.options()) * strength) - x);
    StepResult result;
    result.losses.push_back({"loss", mean(error.flatten(1), Dims{1})});
    return result;
  }
  Net net_;
  double noise_, strength_ = 0;
};

std::shared_ptr<Task> make_denoise(Config& config,
                                   const std::map<std::string, DatasetPointer>& data) {
  double noise = 0.5;
  std::int64_t width = 32;
  resolve(config.task.options,
          {Key("noise", &noise, "Deviation of what is added to every pixel.").at_least(0),
           Key("width", &width, "Numbers in the middle.").at_least(1)},
          "task", config.folder);
  const RandomScope init(static_cast<std::uint64_t>(config.run.seed), 0);
  return std::make_shared<Denoise>(data.at("train")->fields()[0].shape.numel(), width, noise);
}

int main(int argc, char** argv) { return cli::main(argc, argv, {{"denoise", make_denoise}}); }
