#!/usr/bin/perl
# Prints what the gateway says.
use strict;
use warnings;
use IO::Socket::INET;

my $gateway = IO::Socket::INET->new(
    PeerAddr => '@host@', PeerPort => @port@, Timeout => 5,
) or die "cannot reach the gateway at @host@:@port@: $@\n";
print scalar <$gateway>;
