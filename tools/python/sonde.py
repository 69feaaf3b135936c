# SPDX-License-Identifier: MIT
"""Spans of Python programs for sonde (sonde-span(7)): they cost next to nothing until it attaches.

    import sonde

    @sonde.span                          # named as the function is
    def load(): ...

    @sonde.span(category="io")           # coroutine functions, too: as asynchronous spans
    def read(path): ...

    with sonde.span("parse", category="io") as s:
        s.field("rows", n)               # int, float, bool or text
        s.error(-5)

Fields may be said by sonde.field() as well: they are those of the innermost span of the thread. An
exception that leaves a span marks it. Values of the wrong type raise nothing, as that would happen
only while somebody is attached. Names are kept for good: what differs each time is a field. sonde.ai has the spans of AI training. Without
libsonde-span.so.1 all of it does nothing (SONDE_SPAN_LIBRARY says where that is).
"""
import ctypes
import functools
import inspect
import itertools
import os
import time
import weakref

_HERE = os.path.dirname(os.path.abspath(__file__))
_FUNCTIONS = {  # name: (arguments, result)
    "interest": ((), ctypes.c_void_p),
    "site": ((ctypes.c_char_p, ctypes.c_char_p), ctypes.c_void_p),
    "key": ((ctypes.c_char_p,), ctypes.c_void_p),
    "begin": ((ctypes.c_void_p,), ctypes.c_uint64),
    "end": ((ctypes.c_uint64, ctypes.c_int), None),
    "async_begin": ((ctypes.c_void_p, ctypes.c_uint64), None),
    "async_end": ((ctypes.c_void_p, ctypes.c_uint64), None),
    "instant": ((ctypes.c_void_p,), None),
    "counter": ((ctypes.c_void_p, ctypes.c_double), None),
    "field_i64": ((ctypes.c_void_p, ctypes.c_int64), None),
    "field_f64": ((ctypes.c_void_p, ctypes.c_double), None),
    "field_bool": ((ctypes.c_void_p, ctypes.c_int), None),
    "field_text": ((ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t), None),
    "error": ((ctypes.c_int64,), None),
    "trace_from": ((ctypes.c_char_p,), ctypes.c_int),
    "trace_to": ((ctypes.c_char_p,), ctypes.c_int),
}
_TRACE_SIZE = 56


def _load():
    """The functions of the library, or None. They do not let go of the interpreter's lock, which
    would cost more than they do."""
    beside = [os.path.join(_HERE, "libsonde-span.so.1"), "libsonde-span.so.1"]
    for path in [os.environ.get("SONDE_SPAN_LIBRARY"), *beside]:
        if not path:
            continue
        try:
            library = ctypes.PyDLL(path)
            functions = {}
            for name, (arguments, result) in _FUNCTIONS.items():
                function = getattr(library, "sonde_span_" + name)
                function.argtypes, function.restype = arguments, result
                functions[name] = function
            return functions
        except (OSError, AttributeError):
            continue
    return None


_functions = _load()
available = _functions is not None

if available:
    # One word that is not 0 while somebody is attached. To ask whether it is true makes no number
    # of it, and is cheaper than any call.
    _interest = ctypes.c_uint64.from_address(_functions["interest"]())
    _begin, _end = _functions["begin"], _functions["end"]
else:
    _interest = ctypes.c_uint64(0)

_sites, _keys = {}, {}
_async_keys = itertools.count(1)


def is_on():
    """Whether anybody is attached, so that what only spans need can be left out."""
    return bool(_interest)


def _site(category, name):
    site = _sites.get((category, name))
    if site is None:
        site = _sites[category, name] = _functions["site"](_bytes(category), _bytes(name))
    return site


def _bytes(text):
    return str(text).encode("utf-8", "replace").replace(b"\0", b"?")


def _put(key, value):
    """A field of the innermost span; somebody is attached."""
    handle = _keys.get(key)
    if handle is None:
        handle = _keys[key] = _functions["key"](_bytes(key))
    if isinstance(value, bool):
        _functions["field_bool"](handle, value)
    elif isinstance(value, int) and -1 << 63 <= value < 1 << 63:
        _functions["field_i64"](handle, value)
    elif isinstance(value, float):
        _functions["field_f64"](handle, value)
    else:
        try:
            text = str(value).encode("utf-8", "replace")
        except Exception:
            text = b"?"
        _functions["field_text"](handle, text, len(text))


def field(key, value):
    """A field of the innermost open span of this thread."""
    if _interest:
        _put(key, value)


def error(code):
    """The innermost open span of this thread has failed; code is 0 unless it is an integer."""
    if _interest:
        _functions["error"](code if isinstance(code, int) else 0)


def instant(name, category=""):
    """Something happens now."""
    if _interest:
        _functions["instant"](_site(category, name))


def counter(name, value, category=""):
    """What a number is now."""
    if _interest:
        try:
            _functions["counter"](_site(category, name), value)
        except ctypes.ArgumentError:
            pass  # no number


def _key_of(key):
    return key if key.__class__ is int else hash(key)


def begin(name, key, category=""):
    """A span that is no block begins: end() of the same names and key ends it, in whatever thread.
    key: an integer, or anything that can be a key of a dictionary."""
    if _interest:
        _functions["async_begin"](_site(category, name), _key_of(key))


def end(name, key, category=""):
    if _interest:
        _functions["async_end"](_site(category, name), _key_of(key))


def trace_from(traceparent):
    """The innermost open span continues the trace of a W3C traceparent, which may be None.
    Returns whether it does."""
    return bool(_interest) and bool(_functions["trace_from"](_bytes(traceparent)))


def trace_to():
    """A W3C traceparent for somebody to continue, or "" when there is no span."""
    if not _interest:
        return ""
    buf = ctypes.create_string_buffer(_TRACE_SIZE)
    _functions["trace_to"](buf)
    return buf.value.decode()


class _Off:
    """What there is instead of a span while nobody is attached: one for all. A with statement calls
    what is made in C here, which takes half the time of methods."""

    __slots__ = ("__weakref__",)
    summary = {}

    def field(self, key, value):
        pass

    def error(self, code):
        pass

    def __call__(self, *args):
        raise TypeError(_NO_DECORATOR)


_NO_DECORATOR = "sonde.span(NAME) is for with; to decorate, write @sonde.span(category=…), named as the function"
_off = _Off()
_Off.__enter__ = weakref.ref(_off)  # a call of it has that for its result
_Off.__exit__ = memoryview(b"").__exit__  # None each time, so that exceptions go on


class _Span:
    """A span of this thread, for one with statement."""

    __slots__ = ("_site", "_token")

    def __init__(self, site):
        self._site = site

    def __enter__(self):
        self._token = _begin(self._site)
        return self

    def __exit__(self, kind, value, trace):
        _end(self._token, kind is not None)

    def __call__(self, *args):
        raise TypeError(_NO_DECORATOR)

    field = staticmethod(field)
    error = staticmethod(error)


def span(name=None, category=""):
    """A span: with a name for a with statement, without one to decorate a function."""
    if type(name) is str:
        return _Span(_site(category, name)) if _interest else _off
    if name is None:
        return lambda function: _decorate(function, category)
    if not callable(name):
        raise TypeError(f"the name of a span is text, not {type(name).__name__}")
    return _decorate(name, category)


def _decorate(function, category):
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{function.__name__}: a generator is no span; write 'with sonde.span(…)' "
                        "around what takes the time")
    if not available:
        return function
    site = _site(category, function.__qualname__)
    if inspect.iscoroutinefunction(function):
        return _decorate_coroutine(function, site)

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        if not _interest:
            return function(*args, **kwargs)
        token = _begin(site)
        try:
            result = function(*args, **kwargs)
        except BaseException:
            _end(token, 1)
            raise
        _end(token, 0)
        return result
    return wrapper


def _decorate_coroutine(function, site):
    """Others run in the thread while it waits, so it is no block of the thread."""
    @functools.wraps(function)
    async def wrapper(*args, **kwargs):
        if not _interest:
            return await function(*args, **kwargs)
        key = next(_async_keys)
        _functions["async_begin"](site, key)
        try:
            return await function(*args, **kwargs)
        finally:
            _functions["async_end"](site, key)
    return wrapper


class _AiSpan(_Span):
    """A span of AI training: with epoch and step, and in the summary of its epoch."""

    __slots__ = ("_kind", "_fields", "_began")

    def __init__(self, kind, fields):
        super().__init__(kind.site)
        self._kind, self._fields = kind, fields

    def __enter__(self):
        self._began = time.perf_counter_ns()
        super().__enter__()
        for key, value in {**self._kind.ai.now, **self._fields}.items():
            _put(key, value)
        return self

    def __exit__(self, kind, value, trace):
        total = self._kind.ai.totals.setdefault(self._kind.full_name, [0, 0])
        total[0] += 1
        total[1] += time.perf_counter_ns() - self._began
        super().__exit__(kind, value, trace)


class _Epoch(_AiSpan):
    """An epoch. summary, when it has ended: {"compute.forward": {"count", "total_ns"}, …}, which are
    fields of its span, too: compute.forward_ms."""

    __slots__ = ("summary",)
    FIELDS = 12  # a span has 16; epoch and others are among them

    def __enter__(self):
        ai = self._kind.ai
        ai.totals = {}
        ai.now = {k: v for k, v in self._fields.items() if k == "epoch"}
        self.summary = {}
        return super().__enter__()

    def __exit__(self, kind, value, trace):
        ai = self._kind.ai
        self.summary = {name: {"count": n, "total_ns": ns} for name, (n, ns) in ai.totals.items()}
        longest = sorted(self.summary, key=lambda name: -self.summary[name]["total_ns"])
        if _interest:
            for name in longest[:self.FIELDS]:
                _put(name + "_ms", self.summary[name]["total_ns"] / 1e6)
        ai.now = {}
        super().__exit__(kind, value, trace)


class _Kind:
    """One name of AI training: KIND(**fields) for a with statement, @KIND to decorate a function,
    KIND.over(ITERABLE) for what takes the next of something."""

    def __init__(self, ai, category, name):
        self.ai, self.full_name = ai, f"{category}.{name}"
        self.type = _Epoch if self.full_name == "pipeline.epoch" else _AiSpan
        self.site = _site(category, name) if available else None

    def __call__(self, function=None, /, **fields):
        if function is None:
            return self.type(self, fields) if _interest else _off

        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            if not _interest:
                return function(*args, **kwargs)
            with self.type(self, fields):
                return function(*args, **kwargs)
        return wrapper

    def over(self, iterable, **fields):
        """Its items; each is waited for in a span. What follows has its number as step."""
        items = iter(iterable)
        for step in itertools.count():
            self.ai.now["step"] = step
            with self(**fields):
                try:
                    item = next(items)
                except StopIteration:
                    break
            yield item
        self.ai.now.pop("step", None)


class _Category:
    """Its names as attributes, whatever they are; those of the documentation are only the usual."""

    def __init__(self, ai, category):
        self._ai, self._category = ai, category

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        kind = _Kind(self._ai, self._category, name)
        setattr(self, name, kind)
        return kind


class _Ai:
    """The spans of AI training, by categories that its tools know: pipeline.epoch; compute.forward,
    .backward, .step; data.item; dataloader.fetch; comm.all_reduce; checkpoint.save; device.transfer.

        for epoch in range(3):
            with sonde.ai.pipeline.epoch(epoch=epoch) as e:
                for batch in sonde.ai.dataloader.fetch.over(loader):
                    with sonde.ai.compute.forward():
                        ...
            print(e.summary)

    Spans inside have the epoch and the step as fields. These are the process's, not the thread's.
    """

    def __init__(self):
        self.now, self.totals = {}, {}
        for category in ("pipeline", "compute", "data", "dataloader", "comm", "checkpoint", "device"):
            setattr(self, category, _Category(self, category))

    def update(self, **fields):
        """What the spans that begin from now on have as fields, like step; None: no longer."""
        self.now.update(fields)
        for key in [k for k, v in fields.items() if v is None]:
            del self.now[key]


ai = _Ai()
