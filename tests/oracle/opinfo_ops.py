"""Which of PyTorch's OpInfo entries are ours, by family: "entry parameter names in order; ...". The
names are those that the rows of tests/oracle/test_*_calls.cpp ask for. An entry "a/b" is variant b of a.
"""

UNARY = """abs neg sign square sqrt rsqrt reciprocal exp exp2 expm1 log log2 log10 log1p sin cos tan asin
acos atan sinh cosh tanh erf erfc floor ceil round trunc isnan isinf isfinite logical_not"""
BINARY = """atan2 hypot pow fmod remainder maximum minimum fmax fmin max/binary min/binary eq ne lt le gt
ge logical_and logical_or logical_xor mul div/no_rounding_mode __radd__ __rmul__ __rsub__ __rdiv__
__rpow__"""
ACTIVATION = """relu:input leaky_relu:input,slope elu:input,alpha selu:input celu:input,alpha
gelu:input,approximate silu:input mish:input softplus:input,beta,threshold softsign:input
logsigmoid:input hardtanh:input,min_val,max_val hardsigmoid:input hardswish:input relu6:input
glu:input,dim prelu:input,weight threshold:input,threshold,value"""
LOSS = """cross_entropy:input,target nll_loss:input,target mse_loss:input,target l1_loss:input,target
smooth_l1_loss:input,target huber_loss:input,target binary_cross_entropy:input,target
binary_cross_entropy_with_logits:input,target kl_div:input,target
cosine_embedding_loss:input,other,target triplet_margin_loss:input,positive,negative"""
POOL = """max_pool1d:input,kernel_size,stride,padding,dilation,ceil_mode,return_indices
max_pool2d:input,kernel_size,stride,padding,dilation,ceil_mode,return_indices
avg_pool1d:input,kernel_size,stride,padding,ceil_mode,count_include_pad
avg_pool2d:input,kernel_size,stride,padding,ceil_mode,count_include_pad,divisor_override
adaptive_avg_pool1d:input,output_size adaptive_avg_pool2d:input,output_size
adaptive_max_pool2d:input,output_size,return_indices
max_unpool1d:input,indices,kernel_size,stride,padding,output_size
max_unpool1d/grad:input,indices,kernel_size,stride,padding,output_size
max_unpool2d:input,indices,kernel_size,stride,padding,output_size
max_unpool2d/grad:input,indices,kernel_size,stride,padding,output_size
interpolate/nearest:input,size,scale_factor,mode,align_corners
interpolate/bilinear:input,size,scale_factor,mode,align_corners
upsample_nearest:input,size,scale_factor upsample_bilinear:input,size,scale_factor
pixel_shuffle:input,upscale_factor unfold:input,kernel_size,dilation,padding,stride"""
NORM = """layer_norm:input,normalized_shape,weight,bias,eps rms_norm:input,normalized_shape,weight,eps
group_norm:input,num_groups,weight,bias,eps
instance_norm:input,running_mean,running_var,weight,bias,use_input_stats,momentum,eps
batch_norm:input,running_mean,running_var,weight,bias,training,momentum,eps
normalize:input,p,dim,eps cosine_similarity:input,other,dim,eps
pairwise_distance:input,other,p,eps,keepdim"""
CONV = """conv1d:input,weight,bias,stride,padding,dilation,groups
conv2d:input,weight,bias,stride,padding,dilation,groups
conv3d:input,weight,bias,stride,padding,dilation,groups
conv_transpose1d:input,weight,bias,stride,padding,output_padding,groups,dilation
conv_transpose2d:input,weight,bias,stride,padding,output_padding,groups,dilation"""
REDUCE = """sum:input,dim,keepdim,dtype mean:input,dim,keepdim,dtype prod:input,dim,keepdim,dtype
amax:input,dim,keepdim amin:input,dim,keepdim argmax:input,dim,keepdim argmin:input,dim,keepdim
max/reduction_no_dim:input max/reduction_with_dim:input,dim,keepdim min/reduction_no_dim:input
min/reduction_with_dim:input,dim,keepdim var:input,dim,correction,keepdim
std:input,dim,correction,keepdim var/unbiased:input,dim,unbiased,keepdim
std/unbiased:input,dim,unbiased,keepdim norm:input,p,dim,keepdim,dtype
norm/inf:input,p,dim,keepdim,dtype norm/fro:input,p,dim,keepdim,dtype
linalg.vector_norm:input,ord,dim,keepdim,dtype logsumexp:input,dim,keepdim all:input,dim,keepdim
any:input,dim,keepdim cumsum:input,dim,dtype cumprod:input,dim,dtype"""
SHAPE = """cat:tensors,dim stack:tensors,dim split:input,size,dim split/list_args:input,size,dim
split_with_sizes:input,size,dim chunk:input,chunks,dim unbind:input,dim flip:input,dims
roll:input,shifts,dims repeat:input,*times repeat_interleave:input,repeats,dim tile:input,*times
tril:input,k triu:input,k diag:input,k expand:input,*shape broadcast_to:input,shape
reshape:input,*shape view:input,*shape view_as:input,other reshape_as:input,other
expand_as:input,other permute:input,*dims transpose:input,dim0,dim1 t:input squeeze:input,dim
squeeze/multiple:input,dim unsqueeze:input,dim flatten:input,start_dim,end_dim
unflatten:input,dim,sizes narrow:input,dim,start,length select:input,dim,index
slice:input,dim,start,end,step unfold:input,dim,size,step diagonal:input,offset,dim1,dim2
movedim:input,source,destination contiguous:input clone:input meshgrid/list_of_tensors:tensors
meshgrid/variadic_tensors:*tensors nn.functional.pad/constant:input,pad,mode,value
nn.functional.pad/reflect:input,pad,mode,value nn.functional.pad/replicate:input,pad,mode,value
nn.functional.pad/replicate_negative:input,pad,mode,value
nn.functional.pad/circular:input,pad,mode,value T:input mT:input fliplr:input flipud:input"""
INDEX = """gather:input,dim,index scatter:input,dim,index,src scatter_add:input,dim,index,src
index_select:input,dim,index index_add:input,dim,index,src index_put:input,indices,values,accumulate
masked_fill:input,mask,value masked_select:input,mask take_along_dim:input,index,dim
nn.functional.one_hot:index,num_classes topk:input,k,dim,largest,sorted sort:input,dim,descending,stable
argsort:input,dim,descending,stable nonzero:input nn.functional.embedding:weight,indices,padding_idx
where:input,condition,other"""
PRODUCT = """matmul:input,other mm:input,other bmm:input,other mv:input,other
dot:input,other outer:input,other addmm:input,mat1,mat2 baddbmm:input,mat1,mat2
nn.functional.linear:input,weight,bias einsum:tensors,equation __rmatmul__:input,other fft.rfft:input,n,dim,norm
fft.irfft:input,n,dim,norm linalg.svdvals:input
nn.functional.scaled_dot_product_attention:q,k,v,mask,dropout_p,is_causal"""


def table(text, prefix=""):
    return {prefix + entry: names.split(",") for entry, names in (w.split(":") for w in text.split())}


FAMILIES = {
    "pointwise": {
        **{name: ["input"] for name in UNARY.split()},
        **{name: ["input", "other"] for name in BINARY.split()},
        **table("""sigmoid:input nan_to_num:input,nan,posinf,neginf add:input,other sub:input,other
                rsub:input,other lerp:input,end,weight addcmul:input,a,b addcdiv:input,a,b
                clamp:input,min,max clamp_min:input,min clamp_max:input,max
                float:input double:input long:input int:input bool:input byte:input"""),
    },
    "activation": {
        **table(ACTIVATION, "nn.functional."),
        **table("softmax:input,dim softmax/with_dtype:input,dim log_softmax:input,dim "
                "log_softmax/with_dtype:input,dim"),
    },
    "reduce": table(REDUCE),
    "shape": table(SHAPE),
    "index": table(INDEX),
    "product": table(PRODUCT),
    "conv": {**table(CONV, "nn.functional."), **table(POOL, "nn.functional.")},
    "norm": table(NORM, "nn.functional."),
    "loss": table(LOSS, "nn.functional."),
}
