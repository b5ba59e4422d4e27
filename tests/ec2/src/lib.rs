//! Nothing but tests: the driver against moto, and the whole way by the command line. The harness is `muster_tests::ec2`.
