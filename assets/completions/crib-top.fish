# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_crib_top_global_optspecs
    string join \n p/pid= Q/filter= o/output= no-lint= list-lints H/list-columns J/json j/json-lines n/noheadings ascii no-color d/delay= source= payload= h/help V/version
end

function __fish_crib_top_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_crib_top_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_crib_top_using_subcommand
    set -l cmd (__fish_crib_top_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c crib-top -n "__fish_crib_top_needs_command" -s p -l pid -d 'The process, by pid or by command name; several are separated by commas' -r
complete -c crib-top -n "__fish_crib_top_needs_command" -s Q -l filter -d 'Show only the rows that match, e.g. \'KIND == "socket" and RECVQ > 4K\'' -r
complete -c crib-top -n "__fish_crib_top_needs_command" -s o -l output -d 'Columns of the table, e.g. FD,NAME; with a + they are added to the usual ones' -r
complete -c crib-top -n "__fish_crib_top_needs_command" -l no-lint -d 'Lints not to look for, separated by commas; all for none of them' -r
complete -c crib-top -n "__fish_crib_top_needs_command" -s d -l delay -d 'Time between two readings of the live view, of leaks or of lint, with its unit: 500ms, 1s, 2m [default: 1s]' -r
complete -c crib-top -n "__fish_crib_top_needs_command" -l source -d 'Where to read from' -r -f -a "auto\t'BPF where it is possible, else /proc, saying why'
bpf\t'BPF, or an error that says what is missing'
procfs\t'/proc, even where BPF would be possible'"
complete -c crib-top -n "__fish_crib_top_needs_command" -l payload -d 'Bytes to read of each queued message at most; 0 for none [default: 4K, in the live view what is shown]' -r
complete -c crib-top -n "__fish_crib_top_needs_command" -l list-lints -d 'List the lints, with what each is recognised by and what it means'
complete -c crib-top -n "__fish_crib_top_needs_command" -s H -l list-columns -d 'List the columns'
complete -c crib-top -n "__fish_crib_top_needs_command" -s J -l json -d 'Print one JSON document'
complete -c crib-top -n "__fish_crib_top_needs_command" -s j -l json-lines -d 'Print one JSON object a line'
complete -c crib-top -n "__fish_crib_top_needs_command" -s n -l noheadings -d 'Print no headings'
complete -c crib-top -n "__fish_crib_top_needs_command" -l ascii -d 'Draw with ASCII characters only; others in names appear as \\xNN'
complete -c crib-top -n "__fish_crib_top_needs_command" -l no-color -d 'Use no colors, as with NO_COLOR in the environment'
complete -c crib-top -n "__fish_crib_top_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c crib-top -n "__fish_crib_top_needs_command" -s V -l version -d 'Print version'
complete -c crib-top -n "__fish_crib_top_needs_command" -f -a "files" -d 'Print the table of open files, once'
complete -c crib-top -n "__fish_crib_top_needs_command" -f -a "packets" -d 'Print what is queued in one socket or pipe, message by message'
complete -c crib-top -n "__fish_crib_top_needs_command" -f -a "dump" -d 'Print everything: the files with what is queued in them, message by message'
complete -c crib-top -n "__fish_crib_top_needs_command" -f -a "leaks" -d 'Watch a process for a while, and print what grows and who opens it'
complete -c crib-top -n "__fish_crib_top_needs_command" -f -a "lint" -d 'Print what is in trouble about a process\'s files, or looks like it: what was seen, what it means, and what to look at'
complete -c crib-top -n "__fish_crib_top_needs_command" -f -a "ps" -d 'Print every process with its descriptors, limit, sockets and queued bytes'
complete -c crib-top -n "__fish_crib_top_needs_command" -f -a "bench" -d 'Measure ways of reading side by side, on processes of its own'
complete -c crib-top -n "__fish_crib_top_needs_command" -f -a "doctor" -d 'Print what this kernel and this user allow, and how to get the rest'
complete -c crib-top -n "__fish_crib_top_using_subcommand files" -s p -l pid -d 'The process, by pid or by command name; several are separated by commas' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand files" -s Q -l filter -d 'Show only the rows that match, e.g. \'KIND == "socket" and RECVQ > 4K\'' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand files" -s o -l output -d 'Columns of the table, e.g. FD,NAME; with a + they are added to the usual ones' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand files" -l no-lint -d 'Lints not to look for, separated by commas; all for none of them' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand files" -s d -l delay -d 'Time between two readings of the live view, of leaks or of lint, with its unit: 500ms, 1s, 2m [default: 1s]' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand files" -l source -d 'Where to read from' -r -f -a "auto\t'BPF where it is possible, else /proc, saying why'
bpf\t'BPF, or an error that says what is missing'
procfs\t'/proc, even where BPF would be possible'"
complete -c crib-top -n "__fish_crib_top_using_subcommand files" -l payload -d 'Bytes to read of each queued message at most; 0 for none [default: 4K, in the live view what is shown]' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand files" -l peers -d 'Find who has the other end of each file, and who else has it open, among all processes'
complete -c crib-top -n "__fish_crib_top_using_subcommand files" -l list-lints -d 'List the lints, with what each is recognised by and what it means'
complete -c crib-top -n "__fish_crib_top_using_subcommand files" -s H -l list-columns -d 'List the columns'
complete -c crib-top -n "__fish_crib_top_using_subcommand files" -s J -l json -d 'Print one JSON document'
complete -c crib-top -n "__fish_crib_top_using_subcommand files" -s j -l json-lines -d 'Print one JSON object a line'
complete -c crib-top -n "__fish_crib_top_using_subcommand files" -s n -l noheadings -d 'Print no headings'
complete -c crib-top -n "__fish_crib_top_using_subcommand files" -l ascii -d 'Draw with ASCII characters only; others in names appear as \\xNN'
complete -c crib-top -n "__fish_crib_top_using_subcommand files" -l no-color -d 'Use no colors, as with NO_COLOR in the environment'
complete -c crib-top -n "__fish_crib_top_using_subcommand files" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c crib-top -n "__fish_crib_top_using_subcommand packets" -l fd -d 'The descriptor of the socket or pipe' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand packets" -l queue -d 'Only this queue: receive, reader, write, retransmit, out_of_order, error, backlog, accept or pipe' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand packets" -l pcap -d 'Write the messages to a file for Wireshark (pcapng) instead; - is standard output' -r -F
complete -c crib-top -n "__fish_crib_top_using_subcommand packets" -s p -l pid -d 'The process, by pid or by command name; several are separated by commas' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand packets" -s Q -l filter -d 'Show only the rows that match, e.g. \'KIND == "socket" and RECVQ > 4K\'' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand packets" -s o -l output -d 'Columns of the table, e.g. FD,NAME; with a + they are added to the usual ones' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand packets" -l no-lint -d 'Lints not to look for, separated by commas; all for none of them' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand packets" -s d -l delay -d 'Time between two readings of the live view, of leaks or of lint, with its unit: 500ms, 1s, 2m [default: 1s]' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand packets" -l source -d 'Where to read from' -r -f -a "auto\t'BPF where it is possible, else /proc, saying why'
bpf\t'BPF, or an error that says what is missing'
procfs\t'/proc, even where BPF would be possible'"
complete -c crib-top -n "__fish_crib_top_using_subcommand packets" -l payload -d 'Bytes to read of each queued message at most; 0 for none [default: 4K, in the live view what is shown]' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand packets" -l hex -d 'Print the bytes of each message, in hexadecimal and as text'
complete -c crib-top -n "__fish_crib_top_using_subcommand packets" -l list-lints -d 'List the lints, with what each is recognised by and what it means'
complete -c crib-top -n "__fish_crib_top_using_subcommand packets" -s H -l list-columns -d 'List the columns'
complete -c crib-top -n "__fish_crib_top_using_subcommand packets" -s J -l json -d 'Print one JSON document'
complete -c crib-top -n "__fish_crib_top_using_subcommand packets" -s j -l json-lines -d 'Print one JSON object a line'
complete -c crib-top -n "__fish_crib_top_using_subcommand packets" -s n -l noheadings -d 'Print no headings'
complete -c crib-top -n "__fish_crib_top_using_subcommand packets" -l ascii -d 'Draw with ASCII characters only; others in names appear as \\xNN'
complete -c crib-top -n "__fish_crib_top_using_subcommand packets" -l no-color -d 'Use no colors, as with NO_COLOR in the environment'
complete -c crib-top -n "__fish_crib_top_using_subcommand packets" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c crib-top -n "__fish_crib_top_using_subcommand dump" -s p -l pid -d 'The process, by pid or by command name; several are separated by commas' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand dump" -s Q -l filter -d 'Show only the rows that match, e.g. \'KIND == "socket" and RECVQ > 4K\'' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand dump" -s o -l output -d 'Columns of the table, e.g. FD,NAME; with a + they are added to the usual ones' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand dump" -l no-lint -d 'Lints not to look for, separated by commas; all for none of them' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand dump" -s d -l delay -d 'Time between two readings of the live view, of leaks or of lint, with its unit: 500ms, 1s, 2m [default: 1s]' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand dump" -l source -d 'Where to read from' -r -f -a "auto\t'BPF where it is possible, else /proc, saying why'
bpf\t'BPF, or an error that says what is missing'
procfs\t'/proc, even where BPF would be possible'"
complete -c crib-top -n "__fish_crib_top_using_subcommand dump" -l payload -d 'Bytes to read of each queued message at most; 0 for none [default: 4K, in the live view what is shown]' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand dump" -l list-lints -d 'List the lints, with what each is recognised by and what it means'
complete -c crib-top -n "__fish_crib_top_using_subcommand dump" -s H -l list-columns -d 'List the columns'
complete -c crib-top -n "__fish_crib_top_using_subcommand dump" -s J -l json -d 'Print one JSON document'
complete -c crib-top -n "__fish_crib_top_using_subcommand dump" -s j -l json-lines -d 'Print one JSON object a line'
complete -c crib-top -n "__fish_crib_top_using_subcommand dump" -s n -l noheadings -d 'Print no headings'
complete -c crib-top -n "__fish_crib_top_using_subcommand dump" -l ascii -d 'Draw with ASCII characters only; others in names appear as \\xNN'
complete -c crib-top -n "__fish_crib_top_using_subcommand dump" -l no-color -d 'Use no colors, as with NO_COLOR in the environment'
complete -c crib-top -n "__fish_crib_top_using_subcommand dump" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c crib-top -n "__fish_crib_top_using_subcommand leaks" -l for -d 'How long to watch, with its unit: 30s, 5m, 1h [default: 30s]' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand leaks" -s p -l pid -d 'The process, by pid or by command name; several are separated by commas' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand leaks" -s Q -l filter -d 'Show only the rows that match, e.g. \'KIND == "socket" and RECVQ > 4K\'' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand leaks" -s o -l output -d 'Columns of the table, e.g. FD,NAME; with a + they are added to the usual ones' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand leaks" -l no-lint -d 'Lints not to look for, separated by commas; all for none of them' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand leaks" -s d -l delay -d 'Time between two readings of the live view, of leaks or of lint, with its unit: 500ms, 1s, 2m [default: 1s]' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand leaks" -l source -d 'Where to read from' -r -f -a "auto\t'BPF where it is possible, else /proc, saying why'
bpf\t'BPF, or an error that says what is missing'
procfs\t'/proc, even where BPF would be possible'"
complete -c crib-top -n "__fish_crib_top_using_subcommand leaks" -l payload -d 'Bytes to read of each queued message at most; 0 for none [default: 4K, in the live view what is shown]' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand leaks" -l no-trace -d 'Don\'t trace which calls open files, which slows down every system call a little'
complete -c crib-top -n "__fish_crib_top_using_subcommand leaks" -l list-lints -d 'List the lints, with what each is recognised by and what it means'
complete -c crib-top -n "__fish_crib_top_using_subcommand leaks" -s H -l list-columns -d 'List the columns'
complete -c crib-top -n "__fish_crib_top_using_subcommand leaks" -s J -l json -d 'Print one JSON document'
complete -c crib-top -n "__fish_crib_top_using_subcommand leaks" -s j -l json-lines -d 'Print one JSON object a line'
complete -c crib-top -n "__fish_crib_top_using_subcommand leaks" -s n -l noheadings -d 'Print no headings'
complete -c crib-top -n "__fish_crib_top_using_subcommand leaks" -l ascii -d 'Draw with ASCII characters only; others in names appear as \\xNN'
complete -c crib-top -n "__fish_crib_top_using_subcommand leaks" -l no-color -d 'Use no colors, as with NO_COLOR in the environment'
complete -c crib-top -n "__fish_crib_top_using_subcommand leaks" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c crib-top -n "__fish_crib_top_using_subcommand lint" -l for -d 'Watch for so long, with its unit: what lasts or grows shows over time only [default: one reading]' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand lint" -s p -l pid -d 'The process, by pid or by command name; several are separated by commas' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand lint" -s Q -l filter -d 'Show only the rows that match, e.g. \'KIND == "socket" and RECVQ > 4K\'' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand lint" -s o -l output -d 'Columns of the table, e.g. FD,NAME; with a + they are added to the usual ones' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand lint" -l no-lint -d 'Lints not to look for, separated by commas; all for none of them' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand lint" -s d -l delay -d 'Time between two readings of the live view, of leaks or of lint, with its unit: 500ms, 1s, 2m [default: 1s]' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand lint" -l source -d 'Where to read from' -r -f -a "auto\t'BPF where it is possible, else /proc, saying why'
bpf\t'BPF, or an error that says what is missing'
procfs\t'/proc, even where BPF would be possible'"
complete -c crib-top -n "__fish_crib_top_using_subcommand lint" -l payload -d 'Bytes to read of each queued message at most; 0 for none [default: 4K, in the live view what is shown]' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand lint" -l list-lints -d 'List the lints, with what each is recognised by and what it means'
complete -c crib-top -n "__fish_crib_top_using_subcommand lint" -s H -l list-columns -d 'List the columns'
complete -c crib-top -n "__fish_crib_top_using_subcommand lint" -s J -l json -d 'Print one JSON document'
complete -c crib-top -n "__fish_crib_top_using_subcommand lint" -s j -l json-lines -d 'Print one JSON object a line'
complete -c crib-top -n "__fish_crib_top_using_subcommand lint" -s n -l noheadings -d 'Print no headings'
complete -c crib-top -n "__fish_crib_top_using_subcommand lint" -l ascii -d 'Draw with ASCII characters only; others in names appear as \\xNN'
complete -c crib-top -n "__fish_crib_top_using_subcommand lint" -l no-color -d 'Use no colors, as with NO_COLOR in the environment'
complete -c crib-top -n "__fish_crib_top_using_subcommand lint" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c crib-top -n "__fish_crib_top_using_subcommand ps" -s p -l pid -d 'The process, by pid or by command name; several are separated by commas' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand ps" -s Q -l filter -d 'Show only the rows that match, e.g. \'KIND == "socket" and RECVQ > 4K\'' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand ps" -s o -l output -d 'Columns of the table, e.g. FD,NAME; with a + they are added to the usual ones' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand ps" -l no-lint -d 'Lints not to look for, separated by commas; all for none of them' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand ps" -s d -l delay -d 'Time between two readings of the live view, of leaks or of lint, with its unit: 500ms, 1s, 2m [default: 1s]' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand ps" -l source -d 'Where to read from' -r -f -a "auto\t'BPF where it is possible, else /proc, saying why'
bpf\t'BPF, or an error that says what is missing'
procfs\t'/proc, even where BPF would be possible'"
complete -c crib-top -n "__fish_crib_top_using_subcommand ps" -l payload -d 'Bytes to read of each queued message at most; 0 for none [default: 4K, in the live view what is shown]' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand ps" -l list-lints -d 'List the lints, with what each is recognised by and what it means'
complete -c crib-top -n "__fish_crib_top_using_subcommand ps" -s H -l list-columns -d 'List the columns'
complete -c crib-top -n "__fish_crib_top_using_subcommand ps" -s J -l json -d 'Print one JSON document'
complete -c crib-top -n "__fish_crib_top_using_subcommand ps" -s j -l json-lines -d 'Print one JSON object a line'
complete -c crib-top -n "__fish_crib_top_using_subcommand ps" -s n -l noheadings -d 'Print no headings'
complete -c crib-top -n "__fish_crib_top_using_subcommand ps" -l ascii -d 'Draw with ASCII characters only; others in names appear as \\xNN'
complete -c crib-top -n "__fish_crib_top_using_subcommand ps" -l no-color -d 'Use no colors, as with NO_COLOR in the environment'
complete -c crib-top -n "__fish_crib_top_using_subcommand ps" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c crib-top -n "__fish_crib_top_using_subcommand bench" -l fds -d 'Files that a process has open [default: 19600, or what RLIMIT_NOFILE allows]' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand bench" -l sockets -d 'Sockets that another one has open [default: 1000]' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand bench" -l packets -d 'Packets that wait in each socket [default: 10]' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand bench" -l bytes -d 'Bytes of each packet, at most 8K [default: 1K]' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand bench" -l rounds -d 'How often each way is measured [default: 5]' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand bench" -s p -l pid -d 'The process, by pid or by command name; several are separated by commas' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand bench" -s Q -l filter -d 'Show only the rows that match, e.g. \'KIND == "socket" and RECVQ > 4K\'' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand bench" -s o -l output -d 'Columns of the table, e.g. FD,NAME; with a + they are added to the usual ones' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand bench" -l no-lint -d 'Lints not to look for, separated by commas; all for none of them' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand bench" -s d -l delay -d 'Time between two readings of the live view, of leaks or of lint, with its unit: 500ms, 1s, 2m [default: 1s]' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand bench" -l source -d 'Where to read from' -r -f -a "auto\t'BPF where it is possible, else /proc, saying why'
bpf\t'BPF, or an error that says what is missing'
procfs\t'/proc, even where BPF would be possible'"
complete -c crib-top -n "__fish_crib_top_using_subcommand bench" -l payload -d 'Bytes to read of each queued message at most; 0 for none [default: 4K, in the live view what is shown]' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand bench" -l list-lints -d 'List the lints, with what each is recognised by and what it means'
complete -c crib-top -n "__fish_crib_top_using_subcommand bench" -s H -l list-columns -d 'List the columns'
complete -c crib-top -n "__fish_crib_top_using_subcommand bench" -s J -l json -d 'Print one JSON document'
complete -c crib-top -n "__fish_crib_top_using_subcommand bench" -s j -l json-lines -d 'Print one JSON object a line'
complete -c crib-top -n "__fish_crib_top_using_subcommand bench" -s n -l noheadings -d 'Print no headings'
complete -c crib-top -n "__fish_crib_top_using_subcommand bench" -l ascii -d 'Draw with ASCII characters only; others in names appear as \\xNN'
complete -c crib-top -n "__fish_crib_top_using_subcommand bench" -l no-color -d 'Use no colors, as with NO_COLOR in the environment'
complete -c crib-top -n "__fish_crib_top_using_subcommand bench" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c crib-top -n "__fish_crib_top_using_subcommand doctor" -s p -l pid -d 'The process, by pid or by command name; several are separated by commas' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand doctor" -s Q -l filter -d 'Show only the rows that match, e.g. \'KIND == "socket" and RECVQ > 4K\'' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand doctor" -s o -l output -d 'Columns of the table, e.g. FD,NAME; with a + they are added to the usual ones' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand doctor" -l no-lint -d 'Lints not to look for, separated by commas; all for none of them' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand doctor" -s d -l delay -d 'Time between two readings of the live view, of leaks or of lint, with its unit: 500ms, 1s, 2m [default: 1s]' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand doctor" -l source -d 'Where to read from' -r -f -a "auto\t'BPF where it is possible, else /proc, saying why'
bpf\t'BPF, or an error that says what is missing'
procfs\t'/proc, even where BPF would be possible'"
complete -c crib-top -n "__fish_crib_top_using_subcommand doctor" -l payload -d 'Bytes to read of each queued message at most; 0 for none [default: 4K, in the live view what is shown]' -r
complete -c crib-top -n "__fish_crib_top_using_subcommand doctor" -l list-lints -d 'List the lints, with what each is recognised by and what it means'
complete -c crib-top -n "__fish_crib_top_using_subcommand doctor" -s H -l list-columns -d 'List the columns'
complete -c crib-top -n "__fish_crib_top_using_subcommand doctor" -s J -l json -d 'Print one JSON document'
complete -c crib-top -n "__fish_crib_top_using_subcommand doctor" -s j -l json-lines -d 'Print one JSON object a line'
complete -c crib-top -n "__fish_crib_top_using_subcommand doctor" -s n -l noheadings -d 'Print no headings'
complete -c crib-top -n "__fish_crib_top_using_subcommand doctor" -l ascii -d 'Draw with ASCII characters only; others in names appear as \\xNN'
complete -c crib-top -n "__fish_crib_top_using_subcommand doctor" -l no-color -d 'Use no colors, as with NO_COLOR in the environment'
complete -c crib-top -n "__fish_crib_top_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
