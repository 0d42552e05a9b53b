"""Agora's tokens: how one is built and read. Pure; who gets which one is `dispatch.rest`'s to decide."""
