// A 32-bit program without a C library: five ioctls through the 32-bit system call table, which has the same numbers for
// them on x86 and on Arm.
static long call(long number, long a, long b, long c) {
#ifdef __arm__
    register long r7 __asm__("r7") = number, r0 __asm__("r0") = a, r1 __asm__("r1") = b, r2 __asm__("r2") = c;
    __asm__ volatile("svc #0" : "+r"(r0) : "r"(r7), "r"(r1), "r"(r2) : "memory");
    return r0;
#else
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
    return result;
#endif
}

struct message {
    unsigned short addr, flags, len;
    unsigned char *buf;
};

void _start(void) {
    static unsigned char bytes[] = "abc";
    static struct message messages[] = {{0x50, 1, 3, bytes}, {0x51, 0, 2, bytes + 1}};
    static struct {
        struct message *messages;
        unsigned count;
    } transfer = {messages, 2};
    static char buffer[64];
    int pipe[2];
    call(42, (long)pipe, 0, 0);
    for (int i = 0; i < 3; i++) {
        call(54, pipe[0], 0x541b, (long)buffer); // FIONREAD
    }
    call(54, -1, 0x5401, 0); // TCGETS
    call(54, -1, 0x0707, (long)&transfer); // I2C_RDWR
    call(1, 5, 0, 0);
}
