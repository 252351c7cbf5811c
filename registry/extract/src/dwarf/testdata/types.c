/* Compiled for the tests of this folder: clang -target x86_64-linux-gnu (mips-linux-gnu) -gdwarf-4 -c
   -fno-eliminate-unused-debug-types types.c -o x86_64.o (mips.o) */
typedef unsigned int __be32;
enum color { RED, GREEN = 7, BLUE = -1 };
typedef struct { short x, y; } point;
struct absent;
struct node {
	struct node *next;
	char name[16];
	unsigned char grid[2][3];
	__be32 address;
	union {
		unsigned int a;
		struct { unsigned short b, c; };
	};
	enum color shade;
	point where[2];
	int (*call)(int);
	struct absent *hidden;
	unsigned long long tail[];
};
struct bits { unsigned int low : 3, high : 29, : 3, apart : 5; unsigned short next; };
struct tight { unsigned char first; unsigned long long second; } __attribute__((packed));
struct tight (*T__ASKED)[2];
