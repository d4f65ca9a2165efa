# Calls the service with SOAP::Lite. It reads multipart replies, and sends
# binary values in base64.
use strict;
use warnings;
use utf8;
use Digest::SHA qw(sha256_hex);
use SOAP::Lite;

binmode STDOUT, ':utf8';
my $url = $ENV{SOAP_URL};

sub SOAP::Transport::HTTP::Client::get_basic_credentials { return ($ENV{SOAP_USER}, $ENV{SOAP_PASSWORD}) }

my $soap = SOAP::Lite->proxy($url)->ns('http://service.disnix.nixos.org', 'd')
    ->autotype(0)->on_action(sub { '"urn:' . $_[1] . '"' });

sub text { my ($name, @values) = @_; return map { SOAP::Data->name("d:$name")->value($_)->type('string') } @values }
sub null { return SOAP::Data->name("d:$_[0]")->attr({ 'xsi:nil' => 'true' }) }
sub binary { my ($name, @values) = @_; return map { SOAP::Data->name("d:$name")->type(base64 => $_) } @values }
sub number { return SOAP::Data->name("d:$_[0]")->value($_[1])->type('int') }

sub call {
    my ($operation, @arguments) = @_;
    my $som = $soap->call("d:$operation", @arguments);
    die "$operation: " . $som->faultstring . "\n" if $som->fault;
    return $som;
}

sub show { my ($name, @result) = @_; print "$name: ", join(' ', map { $_ // '' } @result), "\n" }
sub result { return call(@_)->valueof('//return') }

# contents returns the binary values of a reply, which are parts.
sub contents { return call(@_)->valueof('//return/Include') }

open my $file, '<:raw', $ENV{CLOSURE} or die "$ENV{CLOSURE}: $!\n";
my $closure = do { local $/; <$file> };

show 'printInvalid', result('printInvalid', text('derivation', $ENV{GOOD}, $ENV{MISSING}));
show 'printInvalid of nothing', result('printInvalid');
show 'queryRequisites', result('queryRequisites', text('derivation', $ENV{GOOD}));
show 'lock', result('lock', text('profile', 'default'));
my $again = $soap->call('d:lock', text('profile', 'default'));
show 'lock again', 'fault ' . ($again->fault && $again->faultstring =~ /locked/ ? 'true' : 'false');
show 'unlock', result('unlock', text('profile', 'default'));
show 'importLocalFile', result('importLocalFile', binary('dataHandler', $closure));
show 'printInvalid of it', result('printInvalid', text('derivation', $ENV{UPLOADED}));
show 'exportRemoteFile', map { sha256_hex($_) } contents('exportRemoteFile', text('derivation', $ENV{UPLOADED}));
show 'realise', result('realise', text('derivation', $ENV{GOOD}));
show 'importm', result('importm', text('closure', result('export', text('derivation', $ENV{UPLOADED}))));
for my $operation (qw(activate deactivate snapshot restore deleteState)) {
    show $operation, result($operation, text('derivation', $ENV{GOOD}), text('container', 'box'), text('type', 'recorder'),
        text('arguments', 'a=<1>', 'greeting=hällo & ]]>'));
}
show 'importLocalSnapshots', result('importLocalSnapshots', text('container', 'box'), text('component', 'a'), text('snapshot', '/s/id'),
    binary('dataHandlers', 'one', "\x00two"), text('paths', '/s/id/1', '/s/id/d/2'));
show 'queryAllSnapshots', result('queryAllSnapshots', text('container', 'box'), text('component', 'a'));
show 'queryLatestSnapshot', result('queryLatestSnapshot', text('container', 'box'), text('component', 'a'));
show 'printMissingSnapshots', result('printMissingSnapshots', text('component', 'box/a/id', 'box/a/other'));
my ($path) = result('resolveSnapshots', text('snapshots', 'box/a/id'));
show 'exportRemoteSnapshotPaths', map { substr($_, length $path) } result('exportRemoteSnapshotPaths', text('derivation', $path));
show 'exportRemoteSnapshots', map { unpack 'H*', $_ } contents('exportRemoteSnapshots', text('derivation', $path));
show 'importSnapshots', result('importSnapshots', text('container', 'box'), text('component', 'a'), text('snapshots', $path));
show 'cleanSnapshots', result('cleanSnapshots', number('keep', 0), null('container'), null('component'));
show 'queryAllSnapshots', result('queryAllSnapshots', null('container'), null('component'));
show 'captureConfig', result('captureConfig') =~ /containers/ ? 'True' : 'False';
show 'set', result('set', text('profile', 'default'), text('derivation', $ENV{PROFILE}));
show 'queryInstalled', map { s/\n/|/gr } result('queryInstalled', text('profile', 'default'));
show 'collectGarbage', result('collectGarbage', SOAP::Data->name('d:deleteOld')->value('false')->type('boolean'));
