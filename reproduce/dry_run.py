def run(steps):
    return 0
