"""What can be changed in a source file: one operator, constant, sign or term at a time.

Code that decides how fast something is, and texts, are left alone where a line shows it.
"""
import re
from dataclasses import dataclass

# Sources of results. Files of autograd/ that are machinery rather than formulas are not among them.
PATTERNS = ["kernels/cpu/*.cpp", "kernels/cpu/*.h", "kernels/ops/*.h", "kernels/math/*.h",
            "kernels/*.h", "autograd/*.cpp"]
MACHINERY = re.compile(r"autograd/(anomaly|autocast|engine|gradcheck|grad|graph|members|node|to_string)\.cpp"
                       r"|kernels/cpu/scratch\.h")
# Lines that say how work is cut up, or nothing about values.
SKIPPED = re.compile(r"grain|prefetch|parallel_for|parallel_chunks|num_threads|worth_|static_assert|alignas"
                     r"|^\s*(#|using |template|typedef|namespace|extern)|\blowest =|GRADUS_(UNROLL|HD_)")

SPACED = {"+": "-", "-": "+", "*": "/", "/": "*", "%": "*", "+=": "-=", "-=": "+=", "*=": "/=", "/=": "*=",
          "==": "!=", "!=": "==", "&&": "||", "||": "&&", "&": "|", "|": "&", "<<": ">>", ">>": "<<"}
BOUNDARY = {"<": ["<=", ">="], "<=": ["<", ">"], ">": [">=", "<="], ">=": [">", "<"]}
CALLS = {"min": "max", "max": "min", "fmin": "fmax", "fmax": "fmin", "add": "sub", "sub": "add",
         "mul": "div", "div": "mul", "eq": "ne", "ne": "eq", "lt": "le", "le": "lt", "gt": "ge", "ge": "gt",
         "logical_and": "logical_or", "logical_or": "logical_and", "floor": "ceil", "ceil": "floor"}
TERM = re.compile(r" [-+*/] (?=[\w(])")
OPERAND = re.compile(r"[\w.:]+(?:->\w+)*(?:\([^()]*\)|\[[^\[\]]*\])*|\([^()]*\)")


@dataclass(frozen=True)
class Mutant:
    path: str
    line: int  # from 1
    old: str  # the whole line, before and after
    new: str

    @property
    def family(self):
        return self.path.rsplit("/", 1)[0]

    def applied(self, text):
        lines = text.split("\n")
        assert lines[self.line - 1] == self.old
        lines[self.line - 1] = self.new
        return "\n".join(lines)

    def __str__(self):
        return f"{self.path}:{self.line}\n- {self.old.strip()}\n+ {self.new.strip()}"


def blank(match):
    return re.sub(r"[^\n]", " ", match.group())


def code_only(text):
    """The text with comments, strings, error texts and template arguments blanked; columns stay."""
    text = re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', blank, text, flags=re.S)
    text = re.sub(r"^#(?:[^\n]*\\\n)*[^\n]*", blank, text, flags=re.M)
    for match in re.finditer(r"ErrorKind::", text):  # from the kind of an error to the end of its call
        depth, end = 0, match.end()
        while end < len(text) and depth >= 0 and text[end] != ";":
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        text = text[:match.start()] + re.sub(r"[^\n]", " ", text[match.start():end]) + text[end:]
    for _ in range(4):  # from the inside out
        text = re.sub(r"(?<=[\w])<[^<>;{}]*>(?!=)", blank, text)
    return text


def changes(code):
    """(begin, end, replacement) of every change of one line of code."""
    for match in re.finditer(r"(?<= )([-+*/%]|[-+*/]=|==|!=|&&|\|\||&|\||<<|>>)(?= )", code):
        yield *match.span(), SPACED[match.group()]
    for match in re.finditer(r"(?<= )(<|<=|>|>=)(?= )", code):
        for new in BOUNDARY[match.group()]:
            yield *match.span(), new
    for match in re.finditer(r"\b(" + "|".join(CALLS) + r")(?=\(|<| *\()", code):
        before = code[:match.start()].rstrip()
        if not before.endswith((".", "->")) and not re.search(r"(\bauto|\w[&*]?|>)$", before[-20:]) \
                or before.endswith("return"):
            yield *match.span(), CALLS[match.group()]
    for match in re.finditer(r"(?:(?<=[(,=?:] )|(?<=[(\[])|(?<=return ))-(?=[\w(])", code):
        yield *match.span(), ""
    for match in re.finditer(r"\bneg(?=\()", code):
        yield *match.span(), ""
    for match in re.finditer(r"(?<![\w.])[01](?:\.0f?)?(?![\w.'])", code):
        yield *match.span(), match.group().translate(str.maketrans("01", "10"), ) \
            if "." not in match.group() else ("1.0" if match.group()[0] == "0" else "0.0") + match.group()[3:]
    for match in TERM.finditer(code):
        operand = OPERAND.match(code, match.end())
        if operand:
            yield match.start(), operand.end(), ""


def mutants_of(path, text):
    """Every mutant of one file, in order."""
    found = {}
    for number, (line, code) in enumerate(zip(text.split("\n"), code_only(text).split("\n")), 1):
        if SKIPPED.search(line):
            continue
        for begin, end, new in changes(code):
            mutant = Mutant(path, number, line, line[:begin] + new + line[end:])
            found[mutant] = None
    return list(found)


def all_mutants(root):
    paths = sorted({p for pattern in PATTERNS for p in root.glob(pattern)})
    names = [p.relative_to(root).as_posix() for p in paths]
    return [m for p, name in zip(paths, names) if not MACHINERY.match(name)
            for m in mutants_of(name, p.read_text())]
