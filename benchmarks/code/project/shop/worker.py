"""Work in a thread, and in a fork."""

import os
import threading


def work(found):
    found.append(42)


def threaded():
    found = []
    thread = threading.Thread(target=work, args=(found,))
    thread.start()
    thread.join()
    return found


def answer_of_child():
    return 7


def forked():
    child = os.fork()
    if not child:
        os._exit(answer_of_child())
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
