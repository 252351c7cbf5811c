/* A Windows program that sends control codes and prints a line for each: what it was given and what came back.
 *
 *   windows.exe          sends some of each kind, successful and not
 *   windows.exe loop N   sends N private codes that carry their number
 *   windows.exe wait F   waits until there is a file F, then sends one code
 *   windows.exe listen   sends a code that nobody answers
 */
#include <windows.h>
#include <winioctl.h>
#include <ntddscsi.h>
#include <winternl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

NTSTATUS NTAPI NtFsControlFile(HANDLE, HANDLE, PIO_APC_ROUTINE, PVOID, PIO_STATUS_BLOCK, ULONG, PVOID, ULONG, PVOID,
                               ULONG);

#define PRIVATE(function, method) CTL_CODE(0x8123, function, method, FILE_ANY_ACCESS)
/* As the headers of drivers have them. */
#define SERIAL(function) CTL_CODE(FILE_DEVICE_SERIAL_PORT, function, METHOD_BUFFERED, FILE_ANY_ACCESS)
#define PIPE(function) CTL_CODE(FILE_DEVICE_NAMED_PIPE, function, METHOD_BUFFERED, FILE_ANY_ACCESS)
#define MOUNTMGR_QUERY_POINTS CTL_CODE('m', 2, METHOD_BUFFERED, FILE_ANY_ACCESS)
#define MOUNTDEV_QUERY_DEVICE_NAME CTL_CODE('M', 2, METHOD_BUFFERED, FILE_ANY_ACCESS)

static const unsigned pending = 0x103;

static void hex(const unsigned char *bytes, ULONG_PTR length)
{
    if (!length) putchar('-');
    for (ULONG_PTR place = 0; place < length; place++) printf("%02x", bytes[place]);
}

/* Sends a code and prints the line. The buffers may be the same. */
static NTSTATUS sent(HANDLE handle, ULONG code, void *in, ULONG in_len, void *out, ULONG out_len, HANDLE event)
{
    IO_STATUS_BLOCK block = {.Information = 0xdead};
    unsigned char before[4096] = {0};
    memcpy(before, in, in_len);
    int of_files = code >> 16 == FILE_DEVICE_FILE_SYSTEM || code >> 16 == FILE_DEVICE_NAMED_PIPE;
    NTSTATUS status = of_files
        ? NtFsControlFile(handle, event, NULL, NULL, &block, code, in, in_len, out, out_len)
        : NtDeviceIoControlFile(handle, event, NULL, NULL, &block, code, in, in_len, out, out_len);
    unsigned severity = (unsigned)status >> 30;
    int known = severity != 3 && (unsigned)status != pending;
    ULONG_PTR filled = known ? block.Information : 0;
    printf("%s %#x %#llx %lu ", of_files ? "NtFsControlFile" : "NtDeviceIoControlFile", (unsigned)code,
           (unsigned long long)(ULONG_PTR)handle, (unsigned long)in_len);
    hex(before, in_len);
    printf(" %lu %#x ", (unsigned long)out_len, (unsigned)status);
    if (known) printf("%llu ", (unsigned long long)filled); else printf("- ");
    hex(out, filled < out_len ? filled : out_len);
    printf("\n");
    if ((unsigned)status == pending && event) {
        CancelIo(handle);
        WaitForSingleObject(event, 5000);
    }
    return status;
}

static HANDLE opened(const char *name, DWORD access, DWORD flags)
{
    HANDLE handle = CreateFileA(name, access, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, flags, NULL);
    if (handle == INVALID_HANDLE_VALUE) fprintf(stderr, "%s: error %lu\n", name, GetLastError());
    return handle;
}

static unsigned char buffer[2048];

/* A code that takes nothing. */
static void asked(HANDLE handle, ULONG code, ULONG out_len)
{
    memset(buffer, 0, sizeof buffer);
    sent(handle, code, NULL, 0, buffer, out_len, NULL);
}

static void volume(void)
{
    HANDLE drive = opened("\\\\.\\C:", 0, 0);
    asked(drive, IOCTL_DISK_GET_DRIVE_GEOMETRY, sizeof(DISK_GEOMETRY));
    asked(drive, IOCTL_DISK_GET_DRIVE_GEOMETRY, 4); /* too small */
    asked(drive, IOCTL_DISK_GET_DRIVE_GEOMETRY_EX, 256);
    asked(drive, IOCTL_DISK_GET_LENGTH_INFO, sizeof(GET_LENGTH_INFORMATION));
    asked(drive, IOCTL_DISK_GET_PARTITION_INFO, 256);
    asked(drive, IOCTL_DISK_GET_DRIVE_LAYOUT_EX, 1024);
    asked(drive, IOCTL_STORAGE_GET_DEVICE_NUMBER, sizeof(STORAGE_DEVICE_NUMBER));
    asked(drive, IOCTL_STORAGE_CHECK_VERIFY, 0);
    asked(drive, IOCTL_VOLUME_GET_VOLUME_DISK_EXTENTS, sizeof(VOLUME_DISK_EXTENTS));
    asked(drive, MOUNTDEV_QUERY_DEVICE_NAME, 512);
    STORAGE_PROPERTY_QUERY query = {.PropertyId = StorageDeviceProperty, .QueryType = PropertyStandardQuery};
    sent(drive, IOCTL_STORAGE_QUERY_PROPERTY, &query, sizeof query, buffer, 1024, NULL);
    sent(drive, IOCTL_STORAGE_QUERY_PROPERTY, &query, sizeof query, buffer, sizeof(STORAGE_DESCRIPTOR_HEADER), NULL);
    SCSI_PASS_THROUGH pass = {.Length = sizeof pass, .CdbLength = 6, .DataIn = SCSI_IOCTL_DATA_IN,
                              .DataTransferLength = 36, .TimeOutValue = 2, .DataBufferOffset = sizeof pass,
                              .Cdb = {0x12, 0, 0, 0, 36, 0}};
    sent(drive, IOCTL_SCSI_PASS_THROUGH, &pass, sizeof pass, buffer, 256, NULL);
    asked(drive, FSCTL_GET_NTFS_VOLUME_DATA, sizeof(NTFS_VOLUME_DATA_BUFFER));
    asked(drive, FSCTL_IS_VOLUME_DIRTY, 4);
    asked(drive, FSCTL_LOCK_VOLUME, 0);
    /* Nobody knows these, and each way of the buffers is another. */
    unsigned char secret[24];
    for (unsigned place = 0; place < sizeof secret; place++) secret[place] = 0xa0 + place;
    for (ULONG method = 0; method < 4; method++)
        sent(drive, PRIVATE(0x801 + method, method), secret, sizeof secret, buffer, 64, NULL);
    sent(drive, PRIVATE(0x810, METHOD_BUFFERED), secret, 1, NULL, 0, NULL);
    sent(drive, PRIVATE(0x811, METHOD_BUFFERED), NULL, 0, NULL, 0, NULL);
    CloseHandle(drive);
    asked((HANDLE)0xbad0, IOCTL_DISK_GET_DRIVE_GEOMETRY, 24);
    HANDLE manager = opened("\\\\.\\MountPointManager", 0, 0);
    unsigned char points[64] = {0};
    sent(manager, MOUNTMGR_QUERY_POINTS, points, 24, buffer, 2048, NULL);
    sent(manager, MOUNTMGR_QUERY_POINTS, points, 24, buffer, 8, NULL);
    CloseHandle(manager);
}

static void files(void)
{
    char path[MAX_PATH], folder[MAX_PATH];
    GetTempPathA(sizeof folder, folder);
    snprintf(path, sizeof path, "%s\\codes", folder);
    CreateDirectoryA(path, NULL);
    HANDLE directory = opened(path, GENERIC_READ | GENERIC_WRITE, FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT);
    asked(directory, FSCTL_GET_REPARSE_POINT, 1024);
    asked(directory, FSCTL_GET_OBJECT_ID, 64);
    asked(directory, FSCTL_GET_COMPRESSION, 2);
    USHORT compression = 1;
    sent(directory, FSCTL_SET_COMPRESSION, &compression, 2, NULL, 0, NULL);
    CloseHandle(directory);
    RemoveDirectoryA(path);
    snprintf(path, sizeof path, "%s\\codes.txt", folder);
    HANDLE file = CreateFileA(path, GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    asked(file, FSCTL_SET_SPARSE, 0);
    LARGE_INTEGER range[2] = {{.QuadPart = 0}, {.QuadPart = 4096}};
    sent(file, FSCTL_QUERY_ALLOCATED_RANGES, range, sizeof range, buffer, 64, NULL);
    CloseHandle(file);
    DeleteFileA(path);
}

static void pipes(void)
{
    HANDLE server = CreateNamedPipeA("\\\\.\\pipe\\codes", PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED, PIPE_TYPE_BYTE, 1,
                                     4096, 4096, 0, NULL);
    HANDLE event = CreateEventA(NULL, TRUE, FALSE, NULL);
    sent(server, PIPE(2), NULL, 0, NULL, 0, event); /* FSCTL_PIPE_LISTEN: goes on behind our back */
    asked(server, PIPE(1), 0);                      /* FSCTL_PIPE_DISCONNECT */
    CloseHandle(event);
    CloseHandle(server);
}

static void serial(void)
{
    HANDLE port = opened("\\\\.\\COM9", GENERIC_READ | GENERIC_WRITE, FILE_FLAG_OVERLAPPED);
    if (port == INVALID_HANDLE_VALUE) return;
    HANDLE event = CreateEventA(NULL, TRUE, FALSE, NULL);
    ULONG rate = 19200, mask = 1;
    sent(port, SERIAL(1), &rate, 4, NULL, 0, NULL); /* SET_BAUD_RATE */
    asked(port, SERIAL(20), 4);                     /* GET_BAUD_RATE */
    asked(port, SERIAL(21), 3);                     /* GET_LINE_CONTROL */
    asked(port, SERIAL(22), 6);                     /* GET_CHARS */
    asked(port, SERIAL(24), 16);                    /* GET_HANDFLOW */
    asked(port, SERIAL(8), 20);                     /* GET_TIMEOUTS */
    asked(port, SERIAL(27), 20);                    /* GET_COMMSTATUS */
    asked(port, SERIAL(26), 4);                     /* GET_MODEMSTATUS */
    asked(port, SERIAL(20), 2);                     /* too small */
    sent(port, SERIAL(17), &mask, 4, NULL, 0, NULL); /* SET_WAIT_MASK */
    CloseHandle(event);
    CloseHandle(port);
}

static void loop(unsigned count)
{
    HANDLE drive = opened("\\\\.\\C:", 0, 0);
    IO_STATUS_BLOCK block;
    for (unsigned number = 0; number < count; number++)
        NtDeviceIoControlFile(drive, NULL, NULL, NULL, &block, PRIVATE(0x900, METHOD_BUFFERED), &number, sizeof number,
                              buffer, 16);
    printf("%u\n", count);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    if (argc > 2 && !strcmp(argv[1], "loop")) {
        loop(strtoul(argv[2], NULL, 10));
        return 0;
    }
    if (argc > 2 && !strcmp(argv[1], "wait")) {
        HANDLE drive = opened("\\\\.\\C:", 0, 0);
        printf("ready\n");
        while (GetFileAttributesA(argv[2]) == INVALID_FILE_ATTRIBUTES) Sleep(10);
        asked(drive, IOCTL_DISK_GET_DRIVE_GEOMETRY, sizeof(DISK_GEOMETRY));
        return 0;
    }
    if (argc > 1 && !strcmp(argv[1], "listen")) {
        HANDLE server = CreateNamedPipeA("\\\\.\\pipe\\listen", PIPE_ACCESS_DUPLEX, PIPE_TYPE_BYTE, 1, 64, 64, 0, NULL);
        printf("ready\n");
        ConnectNamedPipe(server, NULL);
        return 0;
    }
    volume();
    files();
    pipes();
    serial();
    return 7;
}
