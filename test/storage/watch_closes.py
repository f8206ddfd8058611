"""Prints the name of each file in a directory as soon as inotify reports it as closed after writing, or moved in."""
import ctypes
import os
import struct
import sys

IN_CLOSE_WRITE, IN_MOVED_TO = 0x8, 0x80

libc = ctypes.CDLL(None, use_errno=True)
queue = libc.inotify_init()
if queue < 0 or libc.inotify_add_watch(queue, os.fsencode(sys.argv[1]), IN_CLOSE_WRITE | IN_MOVED_TO) < 0:
    sys.exit(os.strerror(ctypes.get_errno()))
print('watching', flush=True)
while True:
    events = os.read(queue, 65536)
    while events:
        _, mask, _, length = struct.unpack_from('iIII', events)
        name = events[16 : 16 + length].rstrip(b'\0').decode()
        print('closed' if mask & IN_CLOSE_WRITE else 'moved', name, flush=True)
        events = events[16 + length :]
