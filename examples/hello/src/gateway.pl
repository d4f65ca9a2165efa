#!/usr/bin/perl
# Passes on what the server says. It refuses to start without the server, as
# real services do: this is why the order of activation matters.
use strict;
use warnings;
use IO::Socket::INET;
use POSIX qw(setsid);

my $listener = IO::Socket::INET->new(
    LocalAddr => $ENV{listenAddress} // '127.0.0.1', LocalPort => @port@, Listen => 16, ReuseAddr => 1,
) or die "cannot listen on port @port@: $@\n";
ask_server();

daemonize("$ENV{runtimeDir}/hello-gateway.pid");
while (my $client = $listener->accept) {
    print $client eval { ask_server() } // "The gateway cannot reach the server.\n";
    close $client;
}

sub ask_server {
    my $server = IO::Socket::INET->new(
        PeerAddr => '@serverHost@', PeerPort => @serverPort@, Timeout => 5,
    ) or die "cannot reach the server at @serverHost@:@serverPort@: $@\n";
    return scalar <$server>;
}

# daemonize goes on in the background, leaving its process id in a file.
sub daemonize {
    my ($pid_file) = @_;
    defined(my $pid = fork) or die "cannot fork: $!\n";
    exit 0 if $pid;
    setsid;
    open STDIN,  '<', '/dev/null' or die;
    open STDOUT, '>', '/dev/null' or die;
    open STDERR, '>', '/dev/null' or die;
    $SIG{TERM} = sub { unlink $pid_file; exit 0 };
    open my $file, '>', "$pid_file.new" or die "cannot write $pid_file: $!\n";
    print $file "$$\n";
    close $file;
    rename "$pid_file.new", $pid_file or die "cannot write $pid_file: $!\n";
}
