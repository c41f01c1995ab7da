"""One wheel for each platform and for every Python: the library is no extension module."""

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel


class Wheel(bdist_wheel):
    """A wheel with a library in it, which no version of Python is compiled into."""

    def get_tag(self) -> tuple[str, str, str]:
        """Any Python 3, this platform."""
        return "py3", "none", super().get_tag()[2]


class WithLibrary(Distribution):
    """A distribution that is not pure Python."""

    def has_ext_modules(self) -> bool:
        """The library is as good as one."""
        return True


setup(cmdclass={"bdist_wheel": Wheel}, distclass=WithLibrary)
