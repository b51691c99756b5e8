// The chapter on tensors: types, making, reading, views, autograd, memory and devices.
#include "names.h"

using namespace gradus;

static void types() {
  for (Dtype d : {Dtype::f32, Dtype::f64, Dtype::bf16, Dtype::f16, Dtype::i32, Dtype::i64,
                  Dtype::u8, Dtype::boolean})
    EXPECT(empty({2}, {.dtype = d}).dtype() == d);
  const Device device = Device::cpu();
  EXPECT(device.type() == DeviceType::cpu && device.index() == 0 && Device::cuda(1).index() == 1);
  EXPECT(cuda_available() == (cuda_device_count() > 0) && Device::cuda() == Device::cuda(0));
  for (ErrorKind k : {ErrorKind::argument, ErrorKind::shape, ErrorKind::dtype, ErrorKind::device,
                      ErrorKind::memory, ErrorKind::io, ErrorKind::corrupt, ErrorKind::unsupported,
                      ErrorKind::internal})
    use(k);
  try {
    matmul(ones({2, 3}), ones({2, 3}));
    EXPECT(false);
  } catch (const std::exception& e) {
    EXPECT(dynamic_cast<const Error&>(e).kind() == ErrorKind::shape);
  }
  set_log_handler({});
  use(version(), build_info());
}

static void making() {
  const TensorOptions options{.dtype = Dtype::f32, .device = Device::cpu(), .requires_grad = true};
  use(empty({2, 3}), zeros({2, 3}, options), ones({2, 3}), randn({2, 3}), rand({2}, options));
  use(full({2}, 3.0, options), arange(0, 5, 1, {.dtype = Dtype::i64}), arange(0, 5));
  use(randint(0, 10, {3}), randint(0, 10, {3}, {.dtype = Dtype::f32}), randperm(4));
  use(eye(3), eye(3, options), linspace(0, 1, 5), linspace(0, 1, 5, {.dtype = Dtype::f64}));
  Tensor t = randn({4, 4});
  use(empty_like(t), zeros_like(t), ones_like(t), full_like(t, 2), rand_like(t), randn_like(t));
  use(bernoulli(full({3}, 0.5)), multinomial(ones({4}), 2), multinomial(ones({4}), 9, true));
  normal_(t), uniform_(t), trunc_normal_(t);
  normal_(t, 0, 1), uniform_(t, 0, 1), trunc_normal_(t, 0, 1, -2, 2);

  float data[6] = {1, 2, 3, 4, 5, 6};
  use(from_data(data, {2, 3}), from_data(data, {6}, options));
  bool released = false;
  EXPECT(from_external(data, {3, 2}, {1, 3}, {}, [&] { released = true; }).sum().item<float>() ==
         21);
  EXPECT(released);
  EXPECT(from_dlpack(to_dlpack(t)).data<float>() == t.data<float>());
  EXPECT(tensor({1, 2}).dtype() == Dtype::i64 && tensor({{1.0}, {2.0}}).shape() == Shape({2, 1}));
  use(tensor({1.5}, {.dtype = Dtype::f64}), tensor(std::vector<float>{1}),
      tensor(std::vector<float>{1}, {.dtype = Dtype::f16}));

  manual_seed(7);
  const auto state = random_state();
  const float first = rand({1}).item<float>();
  set_random_state(state);
  EXPECT(rand({1}).item<float>() == first);
  Generator g{42};
  use(randn({2}, {}, g), rand({2}, {}, g), randint(0, 3, {2}, {.dtype = Dtype::i64}, g));
  use(randperm(3, {.dtype = Dtype::i64}, g), bernoulli(ones({2}), g));
  use(multinomial(ones({3}), 1, false, g), normal_(t, 0, 1, g), uniform_(t, 0, 1, g));
  use(trunc_normal_(t, 0, 1, -2, 2, g));
}

static void reading_and_views() {
  const Tensor t = randn({4, 6});
  EXPECT(t.dim() == 2 && t.size(-1) == 6 && t.numel() == 24 && t.defined() && t.is_contiguous());
  use(t.shape(), t.strides(), t.dtype(), t.device(), t.data<float>(), t.to_vector<double>());
  use(t.to(Dtype::f64), t.to(Device::cpu()), t.contiguous(), t.clone(), t.detach(), to_string(t));
  t.copy_(ones({4, 6}));
  EXPECT(t.sum().item<double>() == 24);
  use(t.view({24}), t.permute({1, 0}), t.transpose(0, -1), t.t(), t.unsqueeze(0).squeeze());
  use(t.squeeze(0), t.flatten(0, 1), t.flatten(), t.slice(1, 0, 6, 2), t.slice(0, 1, 3));
  use(t.select(0, -1), t.narrow(0, 1, 2), t.expand({2, 4, 6}), t.broadcast_to({2, 4, 6}));
  use(t.diagonal(), t.movedim(0, 1));
  EXPECT(t.reshape({-1, 4}).size(0) == 6 && t.unfold(1, 2, 2).shape() == Shape({4, 3, 2}));
  use(t + t, t - 1, 2 * t, 1 / t, -t, t == t, t != 1, t<t, t <= 2.0, t> t, t >= 0);
  t.add_(t).sub_(1).mul_(2).div_(t).fill_(1).zero_();
}

static void autograd() {
  const Tensor w = randn({4, 4}).set_requires_grad(true);
  EXPECT(w.requires_grad());
  w.register_hook([](const Tensor& d) { return d * 1.0; });
  (w * w).sum().backward();
  w.set_grad(w.grad());
  w.zero_grad();
  EXPECT(!w.grad().defined());
  const Tensor y = w * 2;
  y.backward(ones({4, 4}), /*retain_graph=*/true);
  y.backward(ones({4, 4}));
  EXPECT(w.grad().to_vector<float>()[0] == 4);
  use(grad({(w * w).sum()}, {w}), grad({w * w}, {w}, {ones({4, 4})}, false));
  checkpoint([](const std::vector<Tensor>& in) { return tanh(in[0]); }, {w}).sum().backward();
  use(to_dot((w * 2).sum()));
  custom(
      "double", {w}, [](const std::vector<Tensor>& in) { return in[0] * 2; },
      [](const Tensor& dy, const std::vector<Tensor>&, const Tensor&) {
        return std::vector<Tensor>{dy * 2};
      })
      .sum()
      .backward();
  gradcheck([](const std::vector<Tensor>& in) { return tanh(in[0]); },
            {randn({3}, {.dtype = Dtype::f64, .requires_grad = true})}, 1e-6, 1e-7, 1e-6);
  NoGrad guard;
  Autocast low(Dtype::bf16);
  EXPECT(matmul(w, w).dtype() == Dtype::bf16 && !matmul(w, w).requires_grad());
}

static void memory_and_devices() {
  set_num_threads(2);
  alignas(64) static char buffer[65536];
  {
    MemoryScope scope(buffer, sizeof buffer);
    use(ones({3}));
  }
  const MemoryStats memory = memory_stats(Device::cpu());
  use(memory.now, memory.peak, memory.system_calls);
  synchronize(Device::cpu());
  StreamGuard stream(Device::cpu(), nullptr);
  EXPECT(launches(Device::cpu()) == 0 && synchronizations(Device::cpu()) == 0);
}

void tensors() {
  types();
  making();
  reading_and_views();
  autograd();
  memory_and_devices();
}
