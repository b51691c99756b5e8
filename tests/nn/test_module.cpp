// What follows from visit(): names, parameter lists, modes, moves, clones, printing.
#include <gtest/gtest.h>

#include "gradus/autograd/node.h"
#include "gradus/kernels/create.h"
#include "gradus/nn/activation.h"
#include "gradus/nn/dropout.h"
#include "gradus/nn/sequential.h"
#include "gradus/nn/state_dict.h"

namespace gradus::nn {
namespace {

struct Scale : Module {
  explicit Scale(double value = 1, bool with_shift = true) {
    weight = full({3}, value, {.requires_grad = true});
    if (with_shift) shift = zeros({3}, {.requires_grad = true});
    seen = zeros({}, {Dtype::i64});
  }
  Tensor weight, shift, seen;
  Tensor forward(const Tensor& x) override { return shift ? x * weight + shift : x * weight; }
  void visit(Visitor& v) override {
    v("weight", weight, Role::norm);
    v("shift", shift, Role::bias);
    v("seen", seen, Role::counter);
  }
};

struct Net : Module {
  Scale first{2}, second{3, false};
  Sequential body{Scale(5), ReLU(), Dropout(0.25)};
  Tensor own = ones({3}, {.requires_grad = true});
  Tensor forward(const Tensor& x) override { return body(second(first(x))) * own; }
  void visit(Visitor& v) override {
    v("own", own);
    v("first", first);
    v("second", second);
    v("body", body);
  }
};

std::vector<std::string> names_of(const std::vector<Parameter>& list) {
  std::vector<std::string> names;
  for (const auto& [name, t] : list) names.push_back(name);
  return names;
}

TEST(Module, ListsItsTensorsByFullName) {
  Net net;
  EXPECT_EQ(names_of(net.parameters()),
            (std::vector<std::string>{"own", "first.weight", "first.shift", "second.weight",
                                      "body.0.weight", "body.0.shift"}));
  EXPECT_EQ(names_of(net.named_buffers()),
            (std::vector<std::string>{"first.seen", "second.seen", "body.0.seen"}));
  EXPECT_EQ(net.num_parameters(), 18);
  EXPECT_EQ(net.parameters()[1].role, Role::norm);
  EXPECT_EQ(net.parameters()[1].raw(), net.first.weight.raw());
}

TEST(Module, RunsAndTrains) {
  Net net;
  net.eval();
  const Tensor y = net(ones({2, 3}));
  EXPECT_EQ(y.to_vector<float>(), std::vector<float>(6, 30));
  y.backward(ones({2, 3}));
  EXPECT_EQ(net.first.weight.grad().to_vector<float>(), std::vector<float>(3, 30));
  net.zero_grad();
  EXPECT_FALSE(net.first.weight.grad().defined());
}

TEST(Module, ModeIsSetBelowAndRestoredByTheScope) {
  Net net;
  Module& inner = net.body[2];
  EXPECT_TRUE(inner.is_training());
  inner.eval();
  try {
    const ModeScope scope(net, false);
    EXPECT_FALSE(net.is_training());
    EXPECT_FALSE(net.first.is_training());
    throw 1;
  } catch (int) {
  }
  EXPECT_TRUE(net.is_training());
  EXPECT_TRUE(net.first.is_training());
  EXPECT_FALSE(inner.is_training());
  net.train();
  EXPECT_TRUE(inner.is_training());
}

TEST(Module, ConvertsInPlace) {
  Net net;
  const Tensor handle = net.first.weight;
  net(ones({1, 3})).backward(ones({1, 3}));
  net.to(Dtype::f64);
  EXPECT_EQ(handle.dtype(), Dtype::f64);
  EXPECT_TRUE(handle.requires_grad());
  EXPECT_EQ(handle.grad().dtype(), Dtype::f64);
  EXPECT_EQ(net.first.seen.dtype(), Dtype::i64);
  const Tensor x = ones({1, 3}, {Dtype::f64});
  EXPECT_NO_THROW(net(x).backward(x));
  EXPECT_THROW(net.to(Dtype::i32), Error);
}

TEST(Module, CopiesShareAndClonesDoNot) {
  Net net;
  net.second.weight = net.first.weight;  // tied
  Net shared = net, own = clone(net);
  EXPECT_EQ(shared.first.weight.raw(), net.first.weight.raw());
  EXPECT_NE(own.first.weight.raw(), net.first.weight.raw());
  EXPECT_EQ(own.first.weight.raw(), own.second.weight.raw());
  EXPECT_TRUE(own.first.weight.requires_grad());
  EXPECT_FALSE(own.first.seen.requires_grad());
  {
    const NoGrad guard;
    own.body.at<Scale>(0).weight.fill_(-1);
  }
  EXPECT_EQ(net.body.at<Scale>(0).weight.to_vector<float>(), std::vector<float>(3, 5));
  EXPECT_EQ(own.parameters().size(), 5u);  // the tied one once
}

TEST(Module, PrintsAsPyTorchDoes) {
  const Net net;
  EXPECT_EQ(to_string(net),
            "Net(\n"
            "  (first): Scale()\n"
            "  (second): Scale()\n"
            "  (body): Sequential(\n"
            "    (0): Scale()\n"
            "    (1): ReLU()\n"
            "    (2): Dropout(p=0.25, inplace=False)\n"
            "  )\n"
            ")");
  EXPECT_EQ(to_string(LeakyReLU(1e-5)), "LeakyReLU(negative_slope=1e-05)");
  EXPECT_EQ(to_string(LeakyReLU(2)), "LeakyReLU(negative_slope=2.0)");
}

TEST(Module, SaysThatItHasNoForward) {
  struct Two : Module {
    Tensor forward(const Tensor& a, const Tensor& b) { return a * b; }
  };
  Two two;
  try {
    static_cast<Module&>(two)(ones({1}));
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::unsupported);
    EXPECT_NE(std::string(e.what()).find("Two"), std::string::npos);
  }
}

TEST(Sequential, HoldsAnyModuleByValue) {
  Scale scale(2);
  Sequential a{scale, ReLU()};
  Sequential b = a;  // copies share tensors, not modules
  b.append(Scale(3));
  EXPECT_EQ(a.size(), 2u);
  EXPECT_EQ(a.at<Scale>(0).weight.raw(), scale.weight.raw());
  b[0].eval();
  EXPECT_TRUE(a[0].is_training());
  EXPECT_EQ(b(ones({3})).to_vector<float>(), std::vector<float>(3, 6));
  EXPECT_EQ(b.at<Scale>(-1).weight.to_vector<float>()[0], 3);
  EXPECT_THROW(a.at<Scale>(1), Error);
  EXPECT_THROW(a[2], Error);
  Sequential nested{a, b};
  EXPECT_EQ(nested.parameters().size(), 4u);
  EXPECT_EQ(nested.parameters()[2].name, "1.2.weight");
}

TEST(StateDict, NamesEverythingAndLoadsBack) {
  Net a, b;
  {
    const NoGrad guard;
    for (const Parameter& p : a.parameters()) p.fill_(7);
    a.first.seen.fill_(4);
  }
  const Tensor handle = b.first.weight;
  const std::uint64_t version = handle.raw()->storage->version;
  load_state_dict(b, state_dict(a));
  EXPECT_EQ(handle.to_vector<float>(), std::vector<float>(3, 7));
  EXPECT_TRUE(handle.requires_grad());
  EXPECT_NE(handle.raw()->storage->version, version);
  EXPECT_EQ(b.first.seen.item<std::int64_t>(), 4);
  EXPECT_EQ(state_dict(b).size(), 9u);
  EXPECT_EQ(state_dict(b).begin()->first, "own");
}

TEST(StateDict, ReportsEveryMisfitAndChangesNothing) {
  Net net;
  StateDict dict;
  for (const auto& [name, t] : state_dict(Net())) {
    if (name == "first.weight") continue;
    dict.insert(name, name == "own" ? zeros({4}) : zeros_like(t));
  }
  dict.insert("extra", zeros({1}));
  for (bool strict : {true, false}) {
    try {
      load_state_dict(net, dict, strict);
      FAIL();
    } catch (const Error& e) {
      const std::string text = e.what();
      EXPECT_EQ(text.find("missing: first.weight") != std::string::npos, strict) << text;
      EXPECT_EQ(text.find("not the module's: extra") != std::string::npos, strict) << text;
      EXPECT_NE(text.find("own is (3) in the module and (4) in the dict"), std::string::npos)
          << text;
    }
  }
  EXPECT_EQ(net.body.at<Scale>(0).weight.to_vector<float>()[0], 5);
  EXPECT_THROW(dict.insert("extra", zeros({1})), Error);
  EXPECT_THROW(dict["nothing"], Error);
}

TEST(StateDict, OneNameOfTiedTensorsIsEnough) {
  Net net;
  net.second.weight = net.first.weight;
  const StateDict full = state_dict(net);
  EXPECT_TRUE(full.contains("first.weight") && full.contains("second.weight"));
  for (const char* left_out : {"first.weight", "second.weight"}) {
    StateDict dict;
    for (const auto& [name, t] : full) {
      if (name != left_out) dict.insert(name, ones_like(t));
    }
    {
      const NoGrad guard;
      net.first.weight.fill_(0);
    }
    load_state_dict(net, dict);
    EXPECT_EQ(net.first.weight.to_vector<float>()[0], 1);
  }
}

}  // namespace
}  // namespace gradus::nn
