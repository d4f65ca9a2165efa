# The database of the staff has moved to the other machine.
{ infrastructure }:

import ./distribution.nix {
  inherit infrastructure;
  staff = { target = infrastructure.west; };
}
