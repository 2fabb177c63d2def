#!/usr/bin/perl
# The process inside a lab unit. It prints what it is told over its control socket, so that journald attributes the
# lines to the unit, and, where /var/lib/tailwire/background exists, lines of its client at a human pace.
#
# Requests, each answered by one line "ok ..." or "error ...":
#   print LENGTH\n<bytes>              prints the bytes as they are
#   native LENGTH\n<bytes>             one datagram to journald's native socket (systemd: Native Journal Protocol)
#   produce RATE COUNT START SIZE LENGTH\n<prefix>
#                                      prints COUNT lines "<prefix>seq=N", RATE a second, padded to SIZE bytes; answers at the end
#   exit CODE\n                        ends the process
use strict;
use warnings;
use Errno qw(EINTR EAGAIN);
use POSIX ();
use Socket;

my $unit = $ENV{TAILWIRE_UNIT} or die "TAILWIRE_UNIT is not set\n";
my $path = "$ENV{RUNTIME_DIRECTORY}/control";
my $background = '/var/lib/tailwire/background';
# Ticks of POSIX::times are the finest clock that Debian's perl-base has: 10 ms.
my $hertz = POSIX::sysconf(POSIX::_SC_CLK_TCK());
$SIG{PIPE} = 'IGNORE';

socket(my $listener, AF_UNIX, SOCK_STREAM, 0) or die "socket: $!\n";
bind($listener, sockaddr_un("$path.new")) or die "bind: $!\n";
listen($listener, 16) or die "listen: $!\n";
rename("$path.new", $path) or die "rename: $!\n";

my %clients;    # fileno => { handle, buffer }
my @jobs;       # productions under way
my $next_line = 0;
my $height = 19_000_000;

sub now { return (POSIX::times())[0] / $hertz }

sub write_all {
    my ($handle, $data) = @_;
    my $done = 0;
    while ($done < length $data) {
        my $count = syswrite($handle, $data, length($data) - $done, $done);
        if (defined $count) { $done += $count; next }
        next if $! == EINTR;
        return 0;
    }
    return 1;
}

sub out { write_all(\*STDOUT, $_[0]) }

sub native {
    my ($payload) = @_;
    socket(my $journal, AF_UNIX, SOCK_DGRAM, 0) or return "error socket: $!";
    send($journal, $payload, 0, sockaddr_un('/run/systemd/journal/socket')) or return "error send: $!";
    return 'ok';
}

sub answer { my ($client, $text) = @_; write_all($client->{handle}, "$text\n") if $client->{handle} }

# Handles one complete request at the start of the buffer; false where it is not complete yet.
sub step {
    my ($client) = @_;
    my $end = index($client->{buffer}, "\n");
    return 0 if $end < 0;
    my @words = split / /, substr($client->{buffer}, 0, $end);
    my $length = $words[0] eq 'exit' ? 0 : $words[-1];
    return 0 if length($client->{buffer}) < $end + 1 + $length;
    my $payload = substr($client->{buffer}, $end + 1, $length);
    substr($client->{buffer}, 0, $end + 1 + $length) = '';
    if ($words[0] eq 'print') { out($payload); answer($client, 'ok') }
    elsif ($words[0] eq 'native') { answer($client, native($payload)) }
    elsif ($words[0] eq 'produce') {
        my (undef, $rate, $count, $start, $size) = @words;
        push @jobs, { client => $client, rate => $rate, count => $count, first => $start, size => $size,
            prefix => $payload, done => 0, since => now() };
    }
    elsif ($words[0] eq 'exit') { answer($client, 'ok'); POSIX::_exit($words[1]) }
    else { answer($client, "error unknown request $words[0]") }
    return 1;
}

sub work {
    my $time = now();
    for my $job (@jobs) {
        my $due = int(($time - $job->{since}) * $job->{rate}) + 1;
        $due = $job->{count} if $due > $job->{count};
        my $text = '';
        while ($job->{done} < $due) {
            my $line = "$job->{prefix}seq=" . ($job->{first} + $job->{done}++);
            my $missing = $job->{size} - length $line;
            $line .= ' ' . 'x' x ($missing - 1) if $missing > 1;
            $text .= "$line\n";
            if (length $text > 65536) { out($text); $text = '' }
        }
        out($text) if $text ne '';
        answer($job->{client}, "ok $job->{done}") if $job->{done} >= $job->{count};
    }
    @jobs = grep { $_->{done} < $_->{count} } @jobs;
}

sub hex_of { join '', map { sprintf '%x', int rand 16 } 1 .. $_[0] }

sub pace {
    my $time = now();
    return if $time < $next_line;
    $next_line = $time + 0.5 + rand 3;
    return if !-e $background;
    my @utc = gmtime;
    my $ms = sprintf '%03d', ($time * 1000) % 1000;
    if ($unit eq 'execution') {
        $height++;
        my $stamp = POSIX::strftime('%m-%d|%H:%M:%S', @utc) . ".$ms";
        my $hash = hex_of(6) . '..' . hex_of(6);
        out(rand() < 0.06
            ? "WARN [$stamp] Beacon client online, but no consensus updates received in a while. Please fix your beacon client to follow the chain!\n"
            : "INFO [$stamp] Imported new potential chain segment    number=" . commas($height)
              . " hash=$hash blocks=1 txs=" . int(80 + rand 200) . ' mgas=' . sprintf('%.3f', 8 + rand 22)
              . ' elapsed=' . sprintf('%.3fms', 60 + rand 400) . " mgasps=62.118 snapdiffs=7.10MiB triedirty=0.00B\n");
    }
    elsif ($unit eq 'consensus') {
        my $stamp = POSIX::strftime('%b %d %H:%M:%S', @utc) . ".$ms";
        my $slot = 8_000_000 + $height++ - 19_000_000;
        out(rand() < 0.06
            ? "$stamp WARN  Execution endpoint is not synced      last_known_block: $slot, service: exec\n"
            : "$stamp INFO  Synced                                slot: $slot, block: 0x" . hex_of(4) . '…' . hex_of(4)
              . ', epoch: ' . int($slot / 32) . ', finalized_epoch: ' . (int($slot / 32) - 2) . ', peers: '
              . int(60 + rand 40) . ", service: slot_notifier\n");
    }
    else {
        my $stamp = POSIX::strftime('%b %d %H:%M:%S', @utc) . ".$ms";
        my $slot = 8_000_000 + $height++ - 19_000_000;
        out("$stamp INFO  Successfully published attestations   count: 1, validator_indices: [4242], head_block: 0x"
            . hex_of(8) . ", committee_index: 7, slot: $slot, type: unaggregated, service: attestation\n");
    }
}

sub commas { my $text = reverse $_[0]; $text =~ s/(\d{3})(?=\d)/$1,/g; return scalar reverse $text }

while (1) {
    my $bits = '';
    vec($bits, fileno($listener), 1) = 1;
    vec($bits, $_, 1) = 1 for keys %clients;
    my $ready = select($bits, undef, undef, @jobs ? 0.01 : 0.5);
    if ($ready > 0) {
        if (vec($bits, fileno($listener), 1) && accept(my $handle, $listener)) {
            $clients{ fileno $handle } = { handle => $handle, buffer => '' };
        }
        for my $number (keys %clients) {
            next if !vec($bits, $number, 1);
            my $client = $clients{$number};
            my $count = sysread($client->{handle}, $client->{buffer}, 262144, length $client->{buffer});
            if ($count) { 1 while step($client) }
            elsif (defined $count || ($! != EINTR && $! != EAGAIN)) {
                delete $clients{$number};
                # Its productions go on to their end: a caller may not want to wait for them.
                $client->{handle} = undef;
            }
        }
    }
    work() if @jobs;
    pace();
}
