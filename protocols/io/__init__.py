"""Folders written whole or not at all, work in threads, downloads and archives: files, whatever they hold."""
