#!/usr/bin/perl
# Tells in which room somebody is: reads a name from each connection. It stays
# in the foreground, for a process manager.
use strict;
use warnings;
use HTTP::Tiny;
use IO::Socket::INET;

my $listener = IO::Socket::INET->new(LocalPort => @port@, Listen => 16, ReuseAddr => 1)
    or die "cannot listen on port @port@: $@\n";
my $http = HTTP::Tiny->new(timeout => 20);

while (my $client = $listener->accept) {
    my $name = <$client> // '';
    $name =~ s/\s+\z//;
    my $query = $http->www_form_urlencode({ name => $name });
    my $answer = $http->get("@staffService@?$query");
    my (undef, $room) = split /[\t\r\n]/, $answer->{content};
    print $client !$answer->{success} ? "The staff service does not answer.\n"
        : defined $room ? "$name is in room $room.\n" : "Nobody knows $name.\n";
    close $client;
}
