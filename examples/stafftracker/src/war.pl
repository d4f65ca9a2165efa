# Makes a web application of the files in a directory: perl war.pl DIR WAR. The
# same files give the same archive.
use strict;
use warnings;
use File::Find qw(find);
use IO::Compress::Zip qw(zip $ZipError);

my ($dir, $war) = @ARGV;
chdir $dir or die "cannot change to $dir: $!\n";
my @files;
find({ no_chdir => 1, wanted => sub { push @files, $_ =~ s|^\./||r if -f } }, '.');
my $archive = IO::Compress::Zip->new($war, Name => (sort @files)[0], Time => 1e9, Minimal => 1)
    or die "cannot write $war: $ZipError\n";
my $first = 1;
for my $file (sort @files) {
    $archive->newStream(Name => $file, Time => 1e9, Minimal => 1) unless $first;
    $first = 0;
    open my $in, '<:raw', $file or die "cannot read $file: $!\n";
    local $/;
    $archive->print(<$in>);
}
$archive->close or die "cannot write $war: $ZipError\n";
